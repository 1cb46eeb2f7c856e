package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// shop has the topics that a relay needs. Clicks are bare ids.
type shop struct {
	kafka  *kafkatest.Cluster
	topics map[string]string
	join   string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{kafka: kafkatest.Start(t), topics: map[string]string{}, join: "global"}
	for role, settings := range map[string]map[string]string{
		"orders": nil, "clicks": {"cleanup.policy": "compact,delete", "retention.ms": "-1"}, "dlq": nil, "outcomes": nil,
	} {
		s.topics[role] = s.kafka.Topic(t, role, 3, settings)
	}
	return s
}

// configuration writes a configuration with that section for admin.
func (s *shop) configuration(t *testing.T, admin string) string {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "cjrelay.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
kafka: {brokers: [%q]}
orders: {topic: %s, group: %s, format: json, start: earliest}
clicks: {topic: %s, format: string, join: %s, dir: %q}
dead_letter: {topic: %s}
outcomes: {topic: %s}
cj: {endpoint: "http://127.0.0.1:1/u", enterprise_id: "1234567", actions: {sale: "398210"}}
admin: {%s}
`, s.kafka.Brokers[0], s.topics["orders"], s.topics["orders"], s.topics["clicks"], s.join, folder, s.topics["dlq"], s.topics["outcomes"], admin), 0o600))
	return file
}

// serve runs a relay of the shop until the test ends and returns where its admin port is.
func (s *shop) serve(t *testing.T, admin string) (listen string) {
	t.Helper()
	command := program(t, "run", "--config", s.configuration(t, admin))
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Wait() }) // the test's context has killed it
	_, listen, _ = strings.Cut(await(t, bufio.NewScanner(stderr), "cjrelay runs"), "admin=")
	return strings.TrimSpace(listen)
}

// click is a bare click, captured that long before noon.
func (s *shop) click(session, id string, before time.Duration) *kgo.Record {
	return &kgo.Record{Topic: s.topics["clicks"], Key: []byte(session), Value: []byte(id), Timestamp: noon.Add(-before)}
}

func (s *shop) tombstone(session string) *kgo.Record {
	return &kgo.Record{Topic: s.topics["clicks"], Key: []byte(session), Timestamp: noon}
}

// without is a configuration with another topic in the place of one, which is not there.
func (s *shop) without(t *testing.T, role string) string {
	t.Helper()
	lacking := &shop{kafka: s.kafka, topics: maps.Clone(s.topics), join: s.join}
	lacking.topics[role] = kafkatest.Name("missing")
	return lacking.configuration(t, "listen: '"+nowhere(t)+"'")
}
