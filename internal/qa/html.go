package qa

import (
	_ "embed"
	"html/template"
	"strings"
)

//go:embed report.html.tmpl
var htmlText string

var htmlReport = template.Must(template.New("report.html").Funcs(template.FuncMap{"mark": markOf, "path": htmlPath}).Parse(htmlText))

// htmlPath lets a narrow column break a path such as attributes.destinationCountry behind its dots and underscores.
func htmlPath(path string) template.HTML {
	return template.HTML(strings.NewReplacer(".", ".<wbr>", "_", "_<wbr>").Replace(template.HTMLEscapeString(path)))
}
