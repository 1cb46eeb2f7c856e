package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/cjrelay/cjrelay/internal/qa"
)

var errDeclined = errors.New("nothing was sent, and no report was written")

// canAsk reports whether somebody is there to answer.
func canAsk(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// confirm returns nil if the orders may be sent.
func (c *qaCmd) confirm(ctx context.Context, stdio *stdio, account qa.Account, orders int) error {
	if c.Yes {
		return nil
	}
	question := fmt.Sprintf("Send %d test orders to %s as enterprise %s?", orders, account.Endpoint, account.EnterpriseID)
	if !agreed(ctx, stdio.In, stdio.Err, question) {
		return errDeclined
	}
	return nil
}

// agreed asks and reports whether the answer was yes. The end of ctx is a no: the reader cannot be interrupted.
func agreed(ctx context.Context, in io.Reader, out io.Writer, question string) bool {
	fmt.Fprint(out, question+" Type yes: ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		return strings.EqualFold(strings.TrimSpace(line), "yes")
	case <-ctx.Done():
		fmt.Fprintln(out)
		return false
	}
}
