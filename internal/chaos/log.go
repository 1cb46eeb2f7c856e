package chaos

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"time"
)

// moment is a line of a process's log.
type moment struct {
	At         time.Time `json:"time"`
	Message    string    `json:"msg"`
	Partitions []int32   `json:"partitions"`
}

// The messages that matter here.
const (
	saysRuns         = "cjrelay runs"
	saysAssigned     = "partitions assigned"
	saysRevoked      = "partitions revoked"
	saysLost         = "partitions lost"
	saysStopping     = "stopping: draining what is under way"
	saysCommitFailed = "commit failed, will be made again"
)

// logbook keeps what a process logs, in a file and in memory. It is safe for concurrent use.
type logbook struct {
	mu      sync.Mutex
	file    *os.File
	partial []byte
	moments []moment
	// last are the last lines.
	last []string
	// changed is closed and replaced with every write.
	changed chan struct{}
}

// tailLines is how many lines of a log an error shows.
const tailLines = 12

func newLogbook(path string) (*logbook, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &logbook{file: file, changed: make(chan struct{})}, nil
}

// Write takes what the process writes, in whatever pieces it comes.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, whole := bytes.Cut(l.partial, []byte("\n"))
		if !whole {
			break
		}
		l.take(line)
		l.partial = rest
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return l.file.Write(p)
}

// take notes one line. One that is no JSON is a panic's, and only shown.
func (l *logbook) take(line []byte) {
	l.last = append(l.last, string(line))
	l.last = l.last[max(0, len(l.last)-tailLines):]
	var m moment
	if json.Unmarshal(line, &m) == nil {
		l.moments = append(l.moments, m)
	}
}

// when are the moments of a message, oldest first, and a channel that closes when there may be more.
func (l *logbook) when(message string) (moments []moment, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.moments {
		if m.Message == message {
			moments = append(moments, m)
		}
	}
	return moments, l.changed
}

func (l *logbook) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

func (l *logbook) close() error { return l.file.Close() }
