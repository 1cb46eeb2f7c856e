//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package capture

import "os"

// lockFile does nothing where there is no flock(2): that one process uses the directory is up to who starts it.
func lockFile(*os.File) error { return nil }
