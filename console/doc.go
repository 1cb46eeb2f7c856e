// Package console is the admin HTTP port of a process: health, metrics and version.
package console
