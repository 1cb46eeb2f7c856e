package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// CheckStopped is an error while the live group has members.
func CheckStopped(ctx context.Context, admin *kadm.Client, group string) error {
	described, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		return fmt.Errorf("asking for group %s: %w", group, err)
	}
	live := described[group]
	if live.Err != nil && !errors.Is(live.Err, kerr.GroupIDNotFound) {
		return fmt.Errorf("asking for group %s: %w", group, live.Err)
	}
	if n := len(live.Members); n > 0 {
		return fmt.Errorf("group %s has %d members: stop every `cjrelay run` of it first. One that was killed counts until kafka.session_timeout is over", group, n)
	}
	return nil
}

// Rewind sets the stopped live group back to where the survey's partitions begin. It never sets it forward: what lies
// between would never be sent. Kafka refuses it when a member has come meanwhile.
func Rewind(ctx context.Context, admin *kadm.Client, group string, survey *Survey) error {
	offsets := kadm.Offsets{}
	for partition, r := range survey.Plan.Ranges {
		if at, known := survey.Plan.Live[partition]; known && r.From < at && r.From < r.To {
			offsets.AddOffset(survey.Plan.Topic, partition, r.From, -1)
		}
	}
	if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		return fmt.Errorf("setting group %s back: %w", group, err)
	}
	return nil
}
