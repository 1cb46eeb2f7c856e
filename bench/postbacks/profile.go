package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// startProfile profiles one round, when a file is named.
func startProfile(name string, round int) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	file, err := os.Create(fmt.Sprintf("%s.%d", name, round+1))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}
