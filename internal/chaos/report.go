package chaos

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a storm did, and what the audit found.
type Report struct {
	*Ledger
	BrokerKills, LeaderMoves, Joins, Leaves, Kills int64
	Took                                           time.Duration
	Seed                                           uint64
}

func (s *storm) report(l *Ledger) *Report {
	return &Report{
		Ledger: l, BrokerKills: s.brokerKills.Load(), LeaderMoves: s.leaderMoves.Load(), Joins: s.joins.Load(), Leaves: s.leaves.Load(),
		Kills: s.kills.Load(), Took: time.Since(s.began), Seed: s.Seed,
	}
}

// Print writes the report as a table, and what was found below it.
func (r *Report) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, value any, remark string) { fmt.Fprintf(table, "%s\t%v\t  %s\n", name, value, remark) }
	row("orders", r.Orders, "")
	row("acknowledged", r.Acknowledged, "")
	row("unattributed", r.Unattributed, "")
	row("dead letters", r.DeadLetters, "")
	row("lost", r.Lost, "")
	row("wrong", r.Wrong, "")
	row("duplicates", r.Duplicates, fmt.Sprintf("%s, unexplained %d", byCause(r.DuplicatesBy), r.DuplicatesBy[Unexplained]))
	row("bound", r.Bound, byCause(r.BoundBy))
	row("broker kills", r.BrokerKills, "each was brought back")
	row("leader moves", r.LeaderMoves, "beside those that the kills made")
	row("joins", r.Joins, "")
	row("leaves", r.Leaves+r.Kills, fmt.Sprintf("%d by SIGTERM, %d by SIGKILL", r.Leaves, r.Kills))
	row("generations", r.Generations, "of the group")
	row("requests", r.Requests, "to CJ, of which one in fifty failed")
	row("seconds", fmt.Sprintf("%.1f", r.Took.Seconds()), fmt.Sprintf("seed %d", r.Seed))
	if err := table.Flush(); err != nil {
		return err
	}
	for _, finding := range r.Findings {
		fmt.Fprintln(out, finding)
	}
	return nil
}

// byCause tells what a number is made of.
func byCause(counts map[Cause]int) string {
	var parts []string
	for _, cause := range Causes {
		parts = append(parts, fmt.Sprintf("%s %d", cause, counts[cause]))
	}
	return strings.Join(parts, ", ")
}
