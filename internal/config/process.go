package config

import (
	"net"
	"strconv"
	"strings"
)

// Capture is the shop's edge, where clicks are caught. The verb capture comes with a later release; its keys
// are read and checked now, so that one file can serve all verbs.
type Capture struct {
	// Listen is the address that shoppers' requests arrive at, as host:port. Default: 127.0.0.1:8088.
	Listen string `koanf:"listen"`
	// Upstream is the shop behind the reverse proxy, http or https. Without it the edge is an endpoint of
	// its own. Default: none.
	Upstream string `koanf:"upstream"`
	// CookieDomain is the shop's registrable domain with a leading dot, so that the cookie reaches every
	// host of the shop. Default: none.
	CookieDomain string `koanf:"cookie_domain"`
	// SessionCookie is the cookie that carries the session id which orders will carry too. Default: none.
	SessionCookie string `koanf:"session_cookie"`
	// SpoolDir is where clicks are kept while Kafka cannot take them. Default: ./spool.
	SpoolDir string `koanf:"spool_dir"`
	// AdminListen is the edge's own port for health and metrics, as host:port. Default: 127.0.0.1:9645.
	AdminListen string `koanf:"admin_listen"`
}

// Admin is the port for health, metrics and the console.
type Admin struct {
	// Listen is the address of that port, as host:port; an empty host means every interface. Health,
	// metrics and version are open to all who reach it, so keep it off the public network.
	// Default: 127.0.0.1:9644.
	Listen string `koanf:"listen"`
	// Token opens the console from other machines, and actions from everywhere; without it actions are off.
	// At least 16 visible ASCII characters. Default: none.
	Token Secret `koanf:"token"`
}

// Log is what is logged to stderr, and in which form.
type Log struct {
	// Level is the least severe level that is logged: debug, info, warn or error. Default: info.
	Level string `koanf:"level"`
	// Format is text, for people, or json, for log collectors. Default: text.
	Format string `koanf:"format"`
}

func defaultCapture() Capture {
	return Capture{Listen: "127.0.0.1:8088", SpoolDir: "./spool", AdminListen: "127.0.0.1:9645"}
}

func (e Capture) check(c *checker) {
	c.listen("capture.listen", e.Listen)
	c.listen("capture.admin_listen", e.AdminListen)
	if e.Listen == e.AdminListen && e.Listen != "" {
		c.add("capture.admin_listen", shown(e.AdminListen), "is already capture.listen", "give health and metrics a port of their own")
	}
	if e.Upstream != "" {
		if problem := webAddressProblem(e.Upstream); problem != "" {
			c.add("capture.upstream", shownURL(e.Upstream), problem, "write it like http://127.0.0.1:3000")
		}
	}
	if e.CookieDomain != "" && (!strings.HasPrefix(e.CookieDomain, ".") || !isKafkaName(e.CookieDomain[1:])) {
		c.add("capture.cookie_domain", shown(e.CookieDomain), "must be a domain with a leading dot", "write it like .example.com")
	}
	if e.SessionCookie != "" && strings.ContainsAny(e.SessionCookie, " \t\r\n;,=\"") {
		c.add("capture.session_cookie", shown(e.SessionCookie), "must be the name of a cookie", "write it like sid")
	}
	if strings.TrimSpace(e.SpoolDir) == "" {
		c.missing("capture.spool_dir", "a directory is needed", "leave it out for ./spool")
	}
}

// minToken is the shortest admin token: shorter ones can be guessed over the network.
const minToken = 16

func (a Admin) check(c *checker) {
	c.listen("admin.listen", a.Listen)
	if a.Token == "" {
		return
	}
	if position, bad := firstInvisible(string(a.Token)); bad {
		c.add("admin.token", a.Token.String(), "has a blank, control or non-ASCII character at position "+shown(position),
			"copy it again, without blanks and line ends")
	} else if len(a.Token) < minToken {
		c.add("admin.token", a.Token.String(), "must be at least "+shown(minToken)+" characters", "use a random one, such as openssl rand -hex 16 prints")
	}
}

func (l Log) check(c *checker) {
	c.oneOf("log.level", l.Level, "debug", "info", "warn", "error")
	c.oneOf("log.format", l.Format, "text", "json")
}

// listen accepts host:port with an empty host for every interface, and port 0 for any free port.
func (c *checker) listen(key, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		c.add(key, shown(address), "must be host:port", "leave it out for "+c.defaultText(key))
	}
}
