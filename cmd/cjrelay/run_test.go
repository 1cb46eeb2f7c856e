package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// process is `cjrelay run` as a process of its own.
type process struct {
	*exec.Cmd
	log *bufio.Scanner
	// admin is the address of its admin port.
	admin string
}

// runs starts a relay between a Kafka and a CJ at that endpoint, waits until it has its partition, and gives it one order.
func runs(t *testing.T, kafka *kafkatest.Cluster, endpoint string) *process {
	t.Helper()
	topic := map[string]string{}
	for role, settings := range map[string]map[string]string{
		"orders": nil, "clicks": {"cleanup.policy": "compact,delete"}, "dlq": nil, "outcomes": nil,
	} {
		topic[role] = kafka.Topic(t, role, 1, settings)
	}
	configuration := filepath.Join(t.TempDir(), "cjrelay.yaml")
	require.NoError(t, os.WriteFile(configuration, fmt.Appendf(nil, `
kafka: {brokers: [%q]}
orders: {topic: %s, group: %s, format: json, start: earliest}
clicks: {topic: %s, format: string, dir: %q}
dead_letter: {topic: %s}
outcomes: {topic: %s}
cj: {endpoint: %q, enterprise_id: "1234567", actions: {sale: "398210"}}
admin: {listen: "127.0.0.1:0"}
`, kafka.Brokers[0], topic["orders"], kafkatest.Name("group"), topic["clicks"], t.TempDir(), topic["dlq"], topic["outcomes"], endpoint), 0o600))

	p := &process{Cmd: program(t, "run", "--config", configuration)}
	stderr, err := p.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	p.log = bufio.NewScanner(stderr)
	_, admin, _ := strings.Cut(await(t, p.log, "cjrelay runs"), "admin=")
	p.admin = strings.TrimSpace(admin)
	await(t, p.log, "partitions assigned")
	kafka.Produce(t, &kgo.Record{Topic: topic["orders"], Key: []byte("s-1"), Value: []byte(sample(fmt.Sprintf(`"cjevent": %q`, click)))})
	return p
}

// exit waits for the process and returns its code.
func (p *process) exit() int {
	_ = p.Wait()
	return p.ProcessState.ExitCode()
}

// await reads the log up to a line with the text and returns that line.
func await(t *testing.T, log *bufio.Scanner, text string) string {
	t.Helper()
	var seen []string
	for log.Scan() {
		seen = append(seen, log.Text())
		if strings.Contains(log.Text(), text) {
			return log.Text()
		}
	}
	t.Fatalf("the log ended without %q:\n%s", text, strings.Join(seen, "\n"))
	return ""
}

func TestRunDeliversAndStopsWithZeroOnTheFirstSignal(t *testing.T) {
	kafka, cj := kafkatest.Start(t), newCJ(t)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cj.Reset()
		p := runs(t, kafka, cj.Endpoint())
		require.NoError(t, cj.Wait(t.Context(), 1))
		require.Empty(t, cj.Received()[0].Problems)
		// Its order brings its own click, and may have gone before the click table was restored.
		require.Eventually(t, func() bool { status, _ := get(t, "http://"+p.admin+"/readyz"); return status == http.StatusOK }, time.Minute, 5*time.Millisecond)
		for _, path := range []string{"/livez", "/readyz", "/metrics", "/version", "/config"} {
			status, body := get(t, "http://"+p.admin+path)
			require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
		}
		require.NoError(t, p.Process.Signal(signal))
		await(t, p.log, "stopped")
		require.Equal(t, exitDone, p.exit())
	}
}

func TestRunStopsAtOnceOnTheSecondSignal(t *testing.T) {
	rules, err := cjtest.ParseScript("hang")
	require.NoError(t, err)
	kafka, cj := kafkatest.Start(t), newCJ(t, cjtest.WithScript(rules...))
	p := runs(t, kafka, cj.Endpoint())
	require.NoError(t, cj.Wait(t.Context(), 1), "an order hangs at CJ, so that the drain takes its time")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	await(t, p.log, "stopping")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.Equal(t, exitInterrupted, p.exit())
}

// Whoever answers in CJ's place may repeat the query behind an answer that has no body. It is in no log then.
func TestRunShowsNothingThatComesUnasked(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	answered := make(chan struct{})
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		request, err := http.ReadRequest(bufio.NewReader(connection))
		if err != nil {
			return
		}
		_, _ = fmt.Fprintf(connection, "HTTP/1.1 204 No Content\r\n\r\nyou sent %s", request.RequestURI)
		close(answered)
		_, _ = io.Copy(io.Discard, connection)
	}()
	p := runs(t, kafkatest.Start(t), "http://"+listener.Addr().String()+"/u")
	<-answered
	require.Eventually(t, func() bool {
		_, metrics := get(t, "http://"+p.admin+"/metrics")
		return strings.Contains(metrics, `cjrelay_outcomes_total{outcome="acknowledged",reason="carried"} 1`)
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	var said strings.Builder
	for p.log.Scan() {
		fmt.Fprintln(&said, p.log.Text())
	}
	require.Equal(t, exitDone, p.exit())
	require.Contains(t, said.String(), "stopped")
	require.NotContains(t, said.String(), click)
}

func TestRunRefusesAClickTopicThatIsNotThere(t *testing.T) {
	kafka := kafkatest.Start(t)
	file := filepath.Join(t.TempDir(), "cjrelay.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{kafka: {brokers: [%q]}, orders: {format: json}, clicks: {topic: %s, format: string, dir: %q},
		cj: {endpoint: "http://127.0.0.1:1/u", enterprise_id: "1", actions: {sale: "2"}}, admin: {listen: "127.0.0.1:0"}}`,
		kafka.Brokers[0], kafkatest.Name("missing"), t.TempDir()), 0o600))
	got := call(t, "", "run", "--config", file)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "does not exist: make it with `cjrelay topics`")
}

func newCJ(t *testing.T, options ...cjtest.Option) *cjtest.Server {
	t.Helper()
	cj, err := cjtest.Start(options...)
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	return cj
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, address, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}
