package postback

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

var (
	errTimedOut  = errors.New("timed out")
	errCancelled = errors.New("cancelled before CJ answered")
)

// proxyError is the status of a proxy that refused to connect us to CJ.
type proxyError struct{ status int }

func (e *proxyError) Error() string { return "the proxy answered " + statusWords(e.status) }

// failed reads the error of an attempt that got no answer. caller is the context that Send was given, attempt
// the one made from it.
func (c *Client) failed(caller, attempt context.Context, err error, latency time.Duration) Answer {
	answer := Answer{Class: Retry, Latency: latency}
	var proxy *proxyError
	switch {
	case errors.Is(context.Cause(attempt), errTimedOut):
		answer.Err = fmt.Errorf("timed out after %s", c.timeout)
	case caller.Err() != nil:
		answer.Class, answer.Err = Cancelled, errCancelled
	case errors.As(err, &proxy):
		// A proxy knows no orders: what it refuses for good is set-up, never the order's fault.
		if answer.Err = proxy; classOf(proxy.status) != Retry {
			answer.Class = Setup
		}
	default:
		answer.Err = errors.New(plainWords(err))
	}
	return answer
}

// plainWords says what went wrong without the library's text, which may repeat what the other side sent, and
// that may be our own request.
func plainWords(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		operation   *net.OpError
		dns         *net.DNSError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &certificate):
		return "certificate of CJ's endpoint refused: " + certificate.Err.Error()
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the endpoint does not speak TLS"
	case errors.As(err, &operation) && operation.Op == "remote error":
		// So crypto/tls marks an alert from the other side, whose texts are a fixed list.
		return "the endpoint refused the TLS handshake: " + operation.Err.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("host %s not found", dns.Name)
	case errors.As(err, &dns):
		return fmt.Sprintf("looking up host %s failed", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset before an answer"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "network or host unreachable"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "this machine is out of ports or file descriptors"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before an answer"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out while connecting"
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Sprintf("no valid HTTP answer (%T)", err)
}
