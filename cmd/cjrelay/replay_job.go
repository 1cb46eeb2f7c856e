package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/replay"
)

// replayJob is one call of `cjrelay replay`.
type replayJob struct {
	*replayCmd
	stdio  *stdio
	config config.Config
	live   string
	client *kgo.Client
	admin  *kadm.Client
	log    *slog.Logger
	// name and group are the replay's own.
	name, group string
	progress    *progress
}

// run surveys, and acts where that is asked for.
func (j *replayJob) run(ctx context.Context, bounds replay.Bounds) error {
	if j.LiveGroup {
		if err := replay.CheckStopped(ctx, j.admin, j.live); err != nil {
			return err
		}
	}
	plan, mode, err := j.plan(ctx, bounds)
	if err != nil {
		return err
	}
	survey, err := replay.Surveyor{
		Config: j.config, Client: j.client, Log: j.log, Group: j.group,
		Progress: func(step string, done, total int64) { j.progress.show(step, done, total, "") },
	}.Survey(ctx, plan, mode)
	j.progress.clear()
	if err != nil {
		return err
	}
	report := newReplayReport(j, survey)
	if !j.Execute {
		return report.write(j.stdio.Out, j.Output)
	}
	if j.LiveGroup {
		return j.rewind(ctx, survey, report)
	}
	return j.execute(ctx, survey, report)
}

// plan fixes what is to be replayed, or finds what was.
func (j *replayJob) plan(ctx context.Context, bounds replay.Bounds) (replay.Plan, replay.Mode, error) {
	if j.Resume != "" {
		j.name, j.group = j.Resume, replay.GroupOf(j.live, j.Resume)
		return replay.Kept(ctx, j.admin, j.live, j.Resume, j.config.Orders.Topic)
	}
	if j.name = j.Name; j.name == "" {
		j.name = time.Now().UTC().Format("20060102-150405")
	}
	j.group = replay.GroupOf(j.live, j.name)
	plan, err := replay.Resolve(ctx, j.admin, j.config.Orders.Topic, j.live, bounds)
	if err == nil && j.LiveGroup && len(plan.Live) == 0 {
		err = fmt.Errorf("group %s has no offsets yet: where it begins is orders.start", j.live)
	}
	return plan, replay.Mode{Live: j.LiveGroup, Again: j.Again, Unattributed: j.Unattributed}, err
}

func (j *replayJob) rewind(ctx context.Context, survey *replay.Survey, report *replayReport) error {
	if err := replay.Rewind(ctx, j.admin, j.live, survey); err != nil {
		return err
	}
	report.Executed = true
	return report.write(j.stdio.Out, j.Output)
}

// execute sends what the survey has found, and forgets the replay when it is done.
func (j *replayJob) execute(ctx context.Context, survey *replay.Survey, report *replayReport) error {
	report.Executed, report.Done = true, true
	if survey.Total.ToDo > 0 {
		if j.Resume == "" {
			err := replay.Keep(ctx, j.admin, j.group, survey.Plan, survey.Mode)
			if errors.Is(err, replay.ErrExists) {
				return fmt.Errorf("%w: go on with --resume %s, or say another --name", err, j.name)
			}
			if err != nil {
				return err
			}
		}
		runner := replay.Runner{Config: j.config, Admin: j.admin, Log: j.log, Group: j.group, Progress: j.show}
		var err error
		report.Result, report.Done, err = runner.Run(ctx, survey)
		j.progress.clear()
		if err != nil {
			return fmt.Errorf("%w (go on with --resume %s)", err, j.name)
		}
	}
	if report.Done && (j.Resume != "" || survey.Total.ToDo > 0) {
		if err := replay.Forget(context.WithoutCancel(ctx), j.admin, j.group); err != nil {
			j.log.Warn("the replay is done, and its groups are left", "error", err)
		}
	}
	if err := report.write(j.stdio.Out, j.Output); err != nil {
		return err
	}
	if !report.Done {
		return fmt.Errorf("interrupted: go on with `cjrelay replay --resume %s --execute`", j.name)
	}
	return nil
}

func (j *replayJob) show(p replay.Progress) {
	remark := fmt.Sprintf("%d acknowledged", p.Acknowledged)
	if p.Trouble != "" {
		remark += "; " + cutLine(p.Trouble, longestLine)
	}
	j.progress.show("replaying", p.Done, p.Total, remark)
}
