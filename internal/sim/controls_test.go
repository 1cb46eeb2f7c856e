//go:build synctests && controls

package sim

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// control is a bug put back into the code, and the check that must turn red in a scenario that is green without it.
type control struct {
	name, scenario string
	red            invariant
	// file is below the module's root. Its one place with the text of old gets that of bug, and the file imports what
	// the bug needs besides.
	file, old, bug, imports string
}

// Bugs of this project's past, or of others that do what it does.
var controls = []control{
	{
		name: "TheRevokeDoesNotWaitForTheDrain", scenario: "HandoverWhileCJIsSlow", red: commitDiscipline, file: "consumer/assignment.go",
		old: `	c.release(drain, lives)
	c.config.Clicks.Unfollow(revoked[c.config.Topic]...)`,
		bug: `	_ = drain
	go c.release(context.Background(), lives)
	c.config.Clicks.Unfollow(revoked[c.config.Topic]...)`,
	},
	{
		name: "CommitsWaitForTheJoin", scenario: "StopWhileADeadMemberHoldsTheGroupUp", red: boundedDuplicates, file: "consumer/commit.go",
		imports: `"github.com/twmb/franz-go/pkg/kgo"`,
		old:     `	response, err := request.RequestWith(ctx, c.client)`,
		bug: `	var response *kmsg.OffsetCommitResponse
	var err error
	offsets := map[int32]kgo.EpochOffset{}
	for partition, at := range positions {
		offsets[partition] = kgo.EpochOffset{Epoch: -1, Offset: at.offset}
	}
	whole := kgo.PreCommitFnContext(ctx, func(r *kmsg.OffsetCommitRequest) error { r.Topics = request.Topics; return nil })
	c.client.CommitOffsetsSync(whole, map[string]map[int32]kgo.EpochOffset{c.config.Topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, failed error) { response, err = r, failed })`,
	},
	{
		name: "WhatCannotBeCheckedIsForgotten", scenario: "EndsCannotBeListed", red: boundedDuplicates, file: "consumer/assignment.go",
		old: `						if ends, err = c.askEnds(ctx); err != nil {
							return err
						}
					}
					err = c.plausible(ends, p.Partition, done)`,
		bug: `						ends, err = listed(kadm.NewClient(c.client).ListEndOffsets(ctx, c.config.Topic))
					}
					if err == nil {
						err = c.plausible(ends, p.Partition, done)
					}`,
	},
	{
		name: "OffsetsAreDoneBeforeTheirOutcomeIsDurable", scenario: "CrashWhileOutcomesCannotBeWritten", red: commitDiscipline, file: "consumer/passage.go",
		old: `		c.journal.outcome(p.work, p.outcome, finish)
		return`,
		bug: `		c.journal.outcome(p.work, p.outcome, func(bool) {})
		finish(true)
		return`,
	},
	{
		name: "AFailureCountsAsAcknowledged", scenario: "LongOutage", red: noLoss, file: "postback/answer.go",
		old: `	case 200 <= status && status <= 299:`,
		bug: `	case 200 <= status && status <= 299, status == 503:`,
	},
	{
		name: "TheNextOffsetIsThePreviousPlusOne", scenario: "HolesInTheOffsets", red: liveness, file: "consumer/tracker.go",
		old: `	t.entries = append(t.entries, entry{offset: offset})
	t.pending++
	t.next = offset + 1`,
		bug: `	for next := max(t.next, 0); next < offset; next++ {
		t.entries = append(t.entries, entry{offset: next})
		t.pending++
	}
	t.entries = append(t.entries, entry{offset: offset})
	t.pending++
	t.next = offset + 1`,
	},
	{
		name: "AnOrderThatIsNotSentDoesNotComplete", scenario: "Calm", red: liveness, file: "consumer/passage.go",
		old: `		p.leave(p, durable)
	}
	if kind`,
		bug: `		if kind != schema.Unattributed {
			p.leave(p, durable)
		}
	}
	if kind`,
	},
	{
		name: "APauseOutlivesTheAssignment", scenario: "HandoverWhileOrdersWaitForTheRegistry", red: liveness, file: "consumer/pauses.go",
		old: `	p.partitions[l.partition] = &paused{life: l, reasons: map[PauseReason]int{}}
	p.client.ResumeFetchPartitions(map[string][]int32{p.topic: {l.partition}})
}

// end takes a partition from its life.
func (p *pauses) end(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if partition := p.partitions[l.partition]; partition != nil && partition.life == l {
		delete(p.partitions, l.partition)
		p.client.ResumeFetchPartitions(map[string][]int32{p.topic: {l.partition}})
	}
}`,
		bug: `	p.partitions[l.partition] = &paused{life: l, reasons: map[PauseReason]int{}}
}

func (p *pauses) end(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if partition := p.partitions[l.partition]; partition != nil && partition.life == l {
		delete(p.partitions, l.partition)
	}
}`,
	},
	{
		name: "ACommitThatFailsIsNotMadeAgain", scenario: "LastCommitsFail", red: liveness, file: "consumer/life.go",
		old: `	return next, doubted || next != l.committed
`,
		bug: `	changed := next != l.committed
	l.committed = next
	return next, changed
`,
	},
	{
		name: "WhatTheOpenBreakerRefusesCountsAsAttempted", scenario: "LongOutage", red: breakerHolds, file: "consumer/passage.go",
		old: `	permit, err := c.config.Breaker.Acquire(p.open, p.outcome.Key())`,
		bug: `	if c.config.Breaker.State() == breaker.Open {
		p.outcome.Attempts++
	}
	permit, err := c.config.Breaker.Acquire(p.open, p.outcome.Key())`,
	},
	{
		name: "TheOpenBreakerLetsThrough", scenario: "LongOutage", red: breakerHolds, file: "breaker/gate.go",
		old: `	report, err := g.circuit.Allow()
	if err != nil {
		return nil
	}`,
		bug: `	report, err := g.circuit.Allow()
	if err != nil {
		report = func(error) {}
	}`,
	},
	{
		name: "TheVerdictDoesNotWaitForTheTable", scenario: "JustClicked", red: rightOutcome, file: "consumer/life.go",
		old: `	fresh := l.awaitTable(lookups[0].gate)`,
		bug: `	fresh := true`,
	},
	{
		name: "AMassRejectionIsDeadLettered", scenario: "CJRejectsEverything", red: rightOutcome, file: "consumer/judged.go",
		old: `		if rule.rejected(s, cause) && p.claim() {`,
		bug: `		_ = rule.rejected(s, cause)
		if p.claim() {`,
	},
	{
		name: "TheQueryHasTheTimeOfItsSending", scenario: "CrashWhileCJIsDown", red: sameQuery, file: "postback/builder.go",
		old: `	q = appendTime(q, o.ConfirmedAt)`,
		bug: `	q = appendTime(q, now)`,
	},
	{
		name: "WhatIsDoneAboveTheCommittedOffsetIsForgotten", scenario: "HandoverWithOrdersStuck", red: boundedDuplicates, file: "consumer/life.go",
		old: `encodeMetadata(l.consumer.topicID, at, l.tracker.above(), l.consumer.metadataRoom())`,
		bug: `""`,
	},
	{
		name: "WhatWasDoneBeforeALossIsForgotten", scenario: "LostAndFound", red: boundedDuplicates, file: "consumer/memory.go",
		old: `	r, known := one.orders[offset]
	return r, known`,
		bug: `	r := one.orders[offset]
	return r, false`,
	},
	{
		name: "TheSameOrderIsSentAgain", scenario: "TheSameOrderAgain", red: boundedDuplicates, file: "consumer/judged.go",
		old: `	switch now {
	case goes:`,
		bug: `	switch goes {
	case goes:`,
	},
	{
		name: "ADeadLetterLosesItsKey", scenario: "DeadLettersThatCannotBeWritten", red: wholeDeadLetter, file: "consumer/deadletter.go",
		old: `	return &kgo.Record{Topic: d.config.DeadLetterTopic, Key: d.record.Key, Value: d.record.Value,`,
		bug: `	return &kgo.Record{Topic: d.config.DeadLetterTopic, Value: d.record.Value,`,
	},
	{
		name: "AnOrderThatWaitsHoldsAGoroutine", scenario: "LongOutage", red: boundedResources, file: "consumer/passage.go",
		old: `func (p *passage) enqueue() {
`,
		bug: `func (p *passage) enqueue() {
	go p.underWay.Wait()
`,
	},
	{
		name: "TheLogShowsTheOrder", scenario: "DeadLettersThatCannotBeWritten", red: nothingSecretShown, file: "consumer/passage.go",
		old: `	c.config.Log.Warn(loud(kind), "reason", reason,`,
		bug: `	c.config.Log.Warn(loud(kind), "value", string(p.record.Value), "reason", reason,`,
	},
	{
		name: "TheStopDoesNotCommit", scenario: "StopBetweenCommits", red: boundedDuplicates, file: "consumer/assignment.go",
		old: `	c.commitLast(commit, lives)
`,
		bug: `	_ = commit
`,
	},
	{
		name: "TheStopDoesNotLeaveTheGroup", scenario: "StopBetweenCommits", red: gracefulStop, file: "consumer/leave.go",
		old: `	err := c.client.LeaveGroupContext(leaving)`,
		bug: `	err := leaving.Err()`,
	},
}

// TestControls puts each bug into the build, by an overlay, and runs its scenario: a check that stays green with the bug
// it is there for checks nothing. A bug whose place in the code is gone fails, too, and must be put elsewhere.
func TestControls(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for _, c := range controls {
		t.Run(c.name, func(t *testing.T) {
			output, err := c.run(t, root)
			require.NotContains(t, output, "[build failed]", output)
			require.Error(t, err, "scenario %s stays green:\n%s", c.scenario, output)
			require.Contains(t, output, string(c.red), "%s is not what turned red:\n%s", c.red, output)
		})
	}
}

// run is the scenario with the bug.
func (c control) run(t *testing.T, root string) (output string, err error) {
	t.Helper()
	file := filepath.Join(root, c.file)
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), c.old), "%s has changed: find another place for this bug", c.file)
	dir := t.TempDir()
	buggy := filepath.Join(dir, "buggy.go")
	text := strings.Replace(string(source), c.old, c.bug, 1)
	if c.imports != "" {
		text = strings.Replace(text, "import (", "import (\n\t"+c.imports, 1)
	}
	require.NoError(t, os.WriteFile(buggy, []byte(text), 0o600))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: buggy}})
	require.NoError(t, err)
	overlayFile := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "test", "-tags", "synctests", "-overlay", overlayFile, "-count", "1", "-timeout", "2m", "-run", "^TestScenarios$/^"+c.scenario+"$", ".")
	printed, err := command.CombinedOutput()
	return string(printed), err
}
