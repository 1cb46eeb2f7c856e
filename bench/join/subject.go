//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"
)

// subjectVariable makes this program do what is measured. Its value is a task.
const subjectVariable = "JOIN_SUBJECT"

// task is what a subject needs to know.
type task struct {
	World    world
	Topic    string
	Shoppers shoppers
	Dir      string
	Memory   int64
	Profile  string
}

// serveSubject does what it is asked on its standard input until that ends.
func serveSubject() {
	var t task
	exitOn(json.Unmarshal([]byte(os.Getenv(subjectVariable)), &t))
	table := &Table{task: t}
	server := rpc.NewServer()
	exitOn(server.Register(table))
	exitOn(server.Register(&Raw{task: t}))
	server.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	exitOn(table.close())
}

// subject is a process of its own that is measured.
type subject struct {
	*rpc.Client
	process *exec.Cmd
}

func startSubject(ctx context.Context, t task) (*subject, error) {
	value, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	process, err := again(ctx, subjectVariable, string(value))
	if err != nil {
		return nil, err
	}
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	return &subject{process: process, Client: rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{stdout, stdin})}, nil
}

// stop lets it end in order.
func (s *subject) stop() error {
	return errors.Join(s.Close(), s.process.Wait())
}

// kill ends it at once.
func (s *subject) kill() error {
	if err := s.process.Process.Kill(); err != nil {
		return err
	}
	_, _ = s.process.Wait(), s.Close()
	return nil
}
