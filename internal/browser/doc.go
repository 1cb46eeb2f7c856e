// Package browser has no code: its tests send a real browser through the edge, as a proxy and behind nginx, from a
// partner's link to the postback that CJ gets, and through the console. They need Chromium and nginx: make test-browser.
package browser
