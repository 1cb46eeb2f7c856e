package config

import (
	"net"
	"strconv"
)

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

// minToken is the shortest secret of our own: shorter ones can be guessed.
const minToken = 16

func (a Admin) check(c *checker) {
	c.listen("admin.listen", a.Listen)
	c.secret("admin.token", a.Token)
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
