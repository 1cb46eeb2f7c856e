package edge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is read anew when its file changes: certificates are renewed every few weeks, and a restart for that would
// cost pages.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	// changed is when the file of loaded was written, or of the one that could not be loaded after it.
	changed time.Time
}

func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	changed, err := c.written()
	if err == nil {
		err = c.load(changed)
	}
	if err != nil {
		return nil, fmt.Errorf("capture.tls: %w: name a certificate and its key, both in PEM", err)
	}
	return c, nil
}

// get is asked at every handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed, err := c.written(); err == nil && !changed.Equal(c.changed) {
		if err := c.load(changed); err != nil {
			c.log.Error("the new certificate cannot be used, going on with the one before", "capture.tls.cert", c.cert, "error", err)
		}
	}
	return c.loaded, nil
}

// written is when the later of both files was written: where they are replaced one after the other, the first alone
// does not fit.
func (c *certificate) written() (time.Time, error) {
	var latest time.Time
	for _, file := range []string{c.cert, c.key} {
		info, err := os.Stat(file)
		if err != nil {
			return latest, err
		}
		if info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest, nil
}

func (c *certificate) load(changed time.Time) error {
	c.changed = changed
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.loaded = &loaded
	return nil
}
