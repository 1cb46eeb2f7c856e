//go:build synctests

package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ghosts are members of the group that will never be heard of again. Kafka's session time-out runs from the moment a
// rebalance is over; the fake's runs from a member's first heartbeat, so that one that dies between its join and that
// would keep its partitions for ever. This is the time-out that is missing.
type ghosts struct {
	world *world

	mu    sync.Mutex
	heard map[string]time.Time
}

func watchGhosts(w *world) *ghosts {
	g := &ghosts{world: w, heard: map[string]time.Time{}}
	hear := func(member string) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.heard[member] = time.Now()
	}
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat} {
		w.kafka.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			switch r := r.(type) {
			case *kmsg.JoinGroupRequest:
				hear(r.MemberID)
			case *kmsg.SyncGroupRequest:
				hear(r.MemberID)
			case *kmsg.HeartbeatRequest:
				hear(r.MemberID)
			}
			return nil, nil, false
		})
	}
	return g
}

// evict removes the members that were not heard of for longer than their session lasts. While the group is being joined
// only the dead are silent for a reason: the living wait for each other.
func (g *ghosts) evict() {
	group := g.world.config.Orders.Group
	info := g.world.kafka.GroupInfo(group)
	if info == nil {
		return
	}
	for _, m := range info.Members {
		g.mu.Lock()
		silent := time.Since(g.heard[m.MemberID]) > g.world.options.SessionTimeout+time.Second
		g.mu.Unlock()
		if !silent || info.State != "Stable" && !g.isDead(m, info.Members) {
			continue
		}
		request := kmsg.NewPtrLeaveGroupRequest()
		request.Group = group
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		request.Members = append(request.Members, member)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		// Where this fails it is made again at the next look.
		_, _ = request.RequestWith(ctx, g.world.client)
		cancel()
	}
}

// isDead tells whether a member's relay is gone, or has joined anew under another id.
func (g *ghosts) isDead(m kfake.GroupMember, members []kfake.GroupMember) bool {
	running := g.world.running()
	if !slices.ContainsFunc(running, func(u *unit) bool { return u.name == m.ClientID }) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(members, func(other kfake.GroupMember) bool {
		return other.ClientID == m.ClientID && g.heard[other.MemberID].After(g.heard[m.MemberID])
	})
}
