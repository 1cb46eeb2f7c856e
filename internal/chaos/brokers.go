package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// nodes are the brokers of deploy/kafka/cluster.sh.
type nodes struct{ script string }

func (n nodes) run(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, n.script, arguments...)
	var errs strings.Builder
	command.Stderr = &errs
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%v: %w: %s", command.Args, err, errs.String())
	}
	return strings.TrimSpace(string(output)), nil
}

// replicas is how many nodes the storm needs: with one away, two must be left to agree.
const replicas = 3

// brokers is where they are.
func (n nodes) brokers(ctx context.Context) ([]string, error) {
	list, err := n.run(ctx, "brokers")
	if err != nil {
		return nil, err
	}
	brokers := strings.Split(list, ",")
	if len(brokers) != replicas {
		return nil, fmt.Errorf("the storm needs %d nodes, and the cluster has %d: start it with %s up %d", replicas, len(brokers), n.script, replicas)
	}
	return brokers, nil
}

// shakeBrokers kills one broker after the other and brings it back, until ctx ends. The next one goes only when all
// replicas are in sync again: without two of three Kafka takes nothing, as it should. It closes every when each was
// killed.
func (s *storm) shakeBrokers(ctx context.Context, random *rand.Rand, every chan<- struct{}) error {
	for n := 0; ; n++ {
		if n == replicas {
			close(every)
		}
		if rest(ctx, between(random, time.Second, 4*time.Second)) != nil {
			return nil
		}
		// Each of them comes once in every three.
		node := strconv.Itoa(1 + (n+int(s.Seed%replicas))%replicas)
		s.say("broker %s is killed", node)
		if _, err := s.nodes.run(ctx, "kill", node); err != nil {
			return unlessOver(ctx, err)
		}
		s.brokerKills.Add(1)
		_ = rest(ctx, between(random, 2*time.Second, 8*time.Second))
		// Whatever comes next, the broker does: the orders that are left need it.
		if _, err := s.nodes.run(context.WithoutCancel(ctx), "restart", node); err != nil {
			return err
		}
		if err := s.awaitReplicas(ctx); err != nil {
			return unlessOver(ctx, err)
		}
		s.say("broker %s is back, and in sync", node)
	}
}

// unlessOver forgets an error that is there only because the storm is over.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// errBehind says that a replica is not in sync yet.
var errBehind = errors.New("a replica is not in sync")

// awaitReplicas waits until every replica of every topic is in sync.
func (s *storm) awaitReplicas(ctx context.Context) error {
	_, err := retried(ctx, func() (struct{}, error) {
		topics, err := s.Admin.ListTopicsWithInternal(ctx)
		if err != nil {
			return struct{}{}, err
		}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				if p.Err != nil || len(p.ISR) < len(p.Replicas) {
					return struct{}{}, errBehind
				}
			}
		}
		return struct{}{}, nil
	})
	return err
}

// moveLeaders gives partitions other leaders, until ctx ends: the preferred one is changed, and elected.
func (s *storm) moveLeaders(ctx context.Context, random *rand.Rand) error {
	moved := []string{s.Config.Orders.Topic, s.Config.Outcomes.Topic, s.Config.DeadLetter.Topic, s.Config.Clicks.Topic, offsetsTopic}
	for rest(ctx, between(random, time.Second, 3*time.Second)) == nil {
		topic := moved[random.IntN(len(moved))]
		partition := random.Int32()
		if s.moveLeader(ctx, topic, partition) {
			s.leaderMoves.Add(1)
		}
	}
	return nil
}

// moveLeader reports whether the partition has another leader now. It has not where a broker is away.
func (s *storm) moveLeader(ctx context.Context, topic string, which int32) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	before, err := s.Admin.ListTopicsWithInternal(ctx, topic)
	if err != nil || len(before[topic].Partitions) == 0 {
		return false
	}
	p := before[topic].Partitions[which%int32(len(before[topic].Partitions))]
	if len(p.Replicas) < 2 {
		return false
	}
	// The replicas stay where they are. The one behind the leader comes first, which makes it the preferred one.
	next := append([]int32{}, p.Replicas...)
	for i, replica := range next {
		if replica == p.Leader {
			j := (i + 1) % len(next)
			next[0], next[j] = next[j], next[0]
			break
		}
	}
	var assignment kadm.AlterPartitionAssignmentsReq
	assignment.Assign(topic, p.Partition, next)
	if answers, err := s.Admin.AlterPartitionAssignments(ctx, assignment); err != nil || answers.Error() != nil {
		return false
	}
	var elect kadm.TopicsSet
	elect.Add(topic, p.Partition)
	answers, err := s.Admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, elect)
	return err == nil && answers[topic][p.Partition].Err == nil && next[0] != p.Leader
}
