//go:build race

package sessions

// raceDetector: this binary is several times slower, so it runs fewer scenarios.
const raceDetector = true
