package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
)

// Build makes the program that is put to the test, in a directory, and returns its path.
func Build(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "cjrelay")
	output, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/cjrelay/cjrelay/cmd/cjrelay").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building cjrelay: %w: %s", err, output)
	}
	return program, nil
}

// Relay is one process of `cjrelay run`.
type Relay struct {
	Name    string
	command *exec.Cmd
	log     *logbook
	// over is closed when the process is gone.
	over chan struct{}

	mu sync.Mutex
	// told is when it was first told to end, killed when it was killed, ended when it was gone.
	told, killed, ended time.Time
}

// startRelay runs a process with a configuration, in a directory of its own.
func startRelay(program, dir, name string, cfg config.Config) (*Relay, error) {
	cfg.Kafka.ClientID = name
	cfg.Admin.Listen = "127.0.0.1:0"
	cfg.Log.Format = "json"
	settings, err := cfg.YAML()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		return nil, err
	}
	log, err := newLogbook(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	r := &Relay{Name: name, command: exec.Command(program, "run", "--config", file), log: log, over: make(chan struct{})}
	// No variable of whoever runs this may override the configuration.
	r.command.Env = []string{}
	r.command.Stderr = log
	if err := r.command.Start(); err != nil {
		return nil, errors.Join(err, log.close())
	}
	go func() {
		_ = r.command.Wait() // how it ended is in its state
		r.mu.Lock()
		r.ended = time.Now()
		r.mu.Unlock()
		_ = log.close()
		close(r.over)
	}()
	return r, nil
}

// Over tells whether the process is gone.
func (r *Relay) Over() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// atWork tells whether the process runs and nobody has told it to end.
func (r *Relay) atWork() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told.IsZero() && r.killed.IsZero() && r.ended.IsZero()
}

// Terminate tells the process to stop gracefully, and does not wait until it has. One that has only just been started
// would die of the signal, so that is waited for.
func (r *Relay) Terminate(ctx context.Context) error {
	if err := r.Await(ctx, saysRuns, 1); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told.IsZero() {
		r.told = time.Now()
	}
	return r.command.Process.Signal(syscall.SIGTERM)
}

// Stop tells the process to stop gracefully and waits until it has, with exit code 0.
func (r *Relay) Stop(ctx context.Context) error {
	if err := r.Terminate(ctx); err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	return r.AwaitStop(ctx)
}

// AwaitStop waits until a process that was told to stop has, with exit code 0.
func (r *Relay) AwaitStop(ctx context.Context) error {
	select {
	case <-r.over:
	case <-ctx.Done():
		return fmt.Errorf("%s does not stop: %w", r.Name, ctx.Err())
	}
	if code := r.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %v after it was told to stop; its log ends with:\n%s", r.Name, r.command.ProcessState, r.log.tail())
	}
	return nil
}

// Kill ends the process at once and for good, and waits until it is gone. It fails when the process had ended by
// itself, since then it was not killed where the caller thinks.
func (r *Relay) Kill() error {
	r.mu.Lock()
	r.killed = time.Now()
	r.mu.Unlock()
	if err := r.command.Process.Kill(); err != nil {
		return fmt.Errorf("%s had ended before it was killed: %w", r.Name, err)
	}
	<-r.over
	if status, ok := r.command.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("%s had ended before it was killed: %v", r.Name, r.command.ProcessState)
	}
	return nil
}

// Freeze stops the process where it is, until Thaw.
func (r *Relay) Freeze() error { return r.command.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (r *Relay) Thaw() error { return r.command.Process.Signal(syscall.SIGCONT) }

// failed returns why a process ended by itself, nil while it runs or where it was told to end.
func (r *Relay) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.IsZero() || !r.killed.IsZero() || !r.told.IsZero() {
		return nil
	}
	return fmt.Errorf("%s ended by itself, %v; its log ends with:\n%s", r.Name, r.command.ProcessState, r.log.tail())
}

// Await waits until the process has logged a message as often as that.
func (r *Relay) Await(ctx context.Context, message string, times int) error {
	for {
		seen, changed := r.log.when(message)
		if len(seen) >= times {
			return nil
		}
		select {
		case <-changed:
		case <-r.over:
			return fmt.Errorf("%s ended without saying %q; its log ends with:\n%s", r.Name, message, r.log.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s has not said %q: %w; its log ends with:\n%s", r.Name, message, ctx.Err(), r.log.tail())
		}
	}
}
