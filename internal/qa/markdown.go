package qa

import (
	_ "embed"
	"strings"
	"text/template"
	"unicode"
)

//go:embed report.md.tmpl
var markdownText string

var markdownReport = template.Must(template.New("report.md").Funcs(template.FuncMap{"text": markdown, "code": markdownCode, "join": strings.Join, "mark": markOf}).Parse(markdownText))

// markdown writes text that came from elsewhere so that it is text in Markdown too: no tag, link, table cell or
// new line.
func markdown(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			out.WriteByte(' ')
			continue
		case strings.ContainsRune("\\`*[]<>|&", r):
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// markdownCode writes a value as code, where nothing in it could end the code or the table's cell.
func markdownCode(value string) string {
	if value == "" || strings.ContainsAny(value, "`<>&|\\") || strings.ContainsFunc(value, unicode.IsControl) {
		return markdown(value)
	}
	return "`" + value + "`"
}
