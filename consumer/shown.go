package consumer

import (
	"strings"

	"github.com/cjrelay/cjrelay/schema"
)

// idCharacters are those of order ids that CJ takes.
const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// shownID is an order id as logs may show it. What is no id may be anything, an e-mail address or a megabyte too.
func shownID(id string) string {
	if len(id) > 96 || strings.Trim(id, idCharacters) != "" {
		return schema.Quoted(id)
	}
	return id
}
