package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of processor time in /proc on every Linux that Go runs on (USER_HZ, 100 a second).
const tick = 10 * time.Millisecond

// processorTime is how much a role's process has used. Where there is no /proc it is always 0.
func (w *world) processorTime(role string) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pids[role]))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold blanks. After it, utime and stime are fields 14 and 15 of proc_pid_stat(5), the
	// first of the rest being field 3.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * tick
}
