//go:build synctests

// Package sim runs the real relay in a simulated world, many times, each time with other troubles. Kafka is kfake on
// a virtual network, CJ is package cjtest behind pipes, and all of it lives in a testing/synctest bubble: an hour
// passes in a second, and nothing but the bubble's clock decides when.
//
// A seed expands to Options: topics, orders and clicks, rates and bounds, a script for CJ, and a list of faults with
// their times. A run has a safety phase, in which the faults happen, and a liveness phase, in which nothing fails any
// more and the relay must end every order within Options.Liveness. Then everything stops, and a ledger compares all
// that was produced, requested, committed and written with each other. Its checks are the invariants I1 to I11; each
// finding begins with the invariant's number.
//
// A seed fixes the scenario, not how the Go runtime interleaves goroutines, nor the relay's own jitter. A seed that
// failed once may pass the next time; that it passes proves little. Run it again and again:
//
//	go test -tags synctests ./internal/sim -run TestSeeds -seed 17 -count 20
//
// The tag makes Kafka's client wait in channels instead of mutexes, so that the bubble's clock can go on meanwhile; without
// it there are no tests here. -seeds and -first run others than the first few, as does make simulate SEEDS=1000. With
// -artifacts the logs of the relays of a run that fails are kept. A goroutine that is still there at the end panics: the
// bubble waits for all of them.
//
// Every invariant has a control at least: a known bug put back into the code, which must turn that very check red. See
// controls_test.go, and make controls.
package sim
