package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/cjrelay/cjrelay/internal/extent"
)

// A replay that was interrupted goes on where it was. Its own group's offsets say how far it is. Its fixed ends, and what
// it is for, are the offsets and the metadata of a second group, which never has a member: Kafka keeps both as long as it
// keeps offsets, and its own tools show them.

// GroupOf is the group of a replay, named after the live one.
func GroupOf(live, name string) string { return live + groupInfix + name }

const (
	groupInfix = ".replay."
	endSuffix  = ".end"
)

// intent is the metadata of a fixed end.
type intent struct {
	Version int `json:"v"`
	// From is where the partition began.
	From int64 `json:"from"`
	Mode
}

const intentVersion = 1

// ErrExists: there is a replay of that name that is not done.
var ErrExists = errors.New("a replay of that name is not done yet")

// Keep writes a plan down and puts the replay's group to its beginning.
func Keep(ctx context.Context, admin *kadm.Client, group string, plan Plan, mode Mode) error {
	before, err := offsetsOf(ctx, admin, group+endSuffix, plan.Topic)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		return ErrExists
	}
	begins, ends := kadm.Offsets{}, kadm.Offsets{}
	for partition, r := range plan.Ranges {
		text, err := json.Marshal(intent{Version: intentVersion, From: r.From, Mode: mode})
		if err != nil {
			return err
		}
		begins.AddOffset(plan.Topic, partition, r.From, -1)
		ends.Add(kadm.Offset{Topic: plan.Topic, Partition: partition, At: r.To, LeaderEpoch: -1, Metadata: string(text)})
	}
	// The ends come first: without them nobody would know where to stop.
	if err := admin.CommitAllOffsets(ctx, group+endSuffix, ends); err != nil {
		return fmt.Errorf("writing down the plan as group %s: %w", group+endSuffix, err)
	}
	if err := admin.CommitAllOffsets(ctx, group, begins); err != nil {
		return fmt.Errorf("setting group %s to its beginning: %w", group, err)
	}
	return nil
}

// Kept reads a plan that was written down, from where its replay is now.
func Kept(ctx context.Context, admin *kadm.Client, live, name, topic string) (Plan, Mode, error) {
	group := GroupOf(live, name)
	ends, err := offsetsOf(ctx, admin, group+endSuffix, topic)
	if err != nil {
		return Plan{}, Mode{}, err
	}
	if len(ends) == 0 {
		return Plan{}, Mode{}, fmt.Errorf("no replay %q is under way%s", name, others(ctx, admin, live))
	}
	reached, err := offsetsOf(ctx, admin, group, topic)
	if err != nil {
		return Plan{}, Mode{}, err
	}
	stands, err := offsetsOf(ctx, admin, live, topic)
	if err != nil {
		return Plan{}, Mode{}, err
	}
	plan, mode := Plan{Topic: topic, Ranges: map[int32]extent.Range{}, Live: map[int32]int64{}}, Mode{}
	missing := kadm.Offsets{}
	for partition, end := range ends {
		var kept intent
		if err := json.Unmarshal([]byte(end.Metadata), &kept); err != nil || kept.Version != intentVersion {
			return Plan{}, Mode{}, fmt.Errorf("group %s was not written by this version of cjrelay: begin a new replay", group+endSuffix)
		}
		at, known := reached[partition]
		if !known {
			// It was interrupted between the two commits of its beginning.
			at.At = kept.From
			missing.AddOffset(topic, partition, kept.From, -1)
		}
		plan.Ranges[partition] = extent.Range{From: min(at.At, end.At), To: end.At}
		if at, ok := stands[partition]; ok {
			plan.Live[partition] = at.At
		}
		mode = kept.Mode
	}
	if len(missing) > 0 {
		if err := admin.CommitAllOffsets(ctx, group, missing); err != nil {
			return Plan{}, Mode{}, fmt.Errorf("setting group %s to its beginning: %w", group, err)
		}
	}
	return plan, mode, nil
}

// others tells which replays could be meant.
func others(ctx context.Context, admin *kadm.Client, live string) string {
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		return ""
	}
	var names []string
	for _, group := range groups.Groups() {
		if name, is := strings.CutPrefix(group, live+groupInfix); is && strings.HasSuffix(name, endSuffix) {
			names = append(names, strings.TrimSuffix(name, endSuffix))
		}
	}
	if len(names) == 0 {
		return ", and no other"
	}
	slices.Sort(names)
	return "; there are " + strings.Join(names, ", ")
}

// Forget removes the groups of a replay that is done. Groups that are gone are no error.
func Forget(ctx context.Context, admin *kadm.Client, group string) error {
	responses, err := admin.DeleteGroups(ctx, group, group+endSuffix)
	if err != nil {
		return err
	}
	for _, response := range responses {
		if response.Err != nil && !errors.Is(response.Err, kerr.GroupIDNotFound) {
			return fmt.Errorf("deleting group %s: %w", response.Group, response.Err)
		}
	}
	return nil
}
