//go:build simulate

package sim

import (
	"context"
	"sync"
	"time"

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

// evict removes the members of a settled group that were not heard of for longer than their session lasts.
func (g *ghosts) evict() {
	group := g.world.config.Orders.Group
	info := g.world.kafka.GroupInfo(group)
	if info == nil || info.State != "Stable" {
		return
	}
	for _, m := range info.Members {
		g.mu.Lock()
		since := time.Since(g.heard[m.MemberID])
		g.mu.Unlock()
		if since <= g.world.options.SessionTimeout+time.Second {
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
