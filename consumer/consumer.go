package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// Sender sends one postback; *postback.Client is the real one.
type Sender interface {
	Send(ctx context.Context, query postback.Query) postback.Answer
}

// Config sets a Consumer. Every field is needed unless it says otherwise.
type Config struct {
	// Topic and Group are the orders' topic and our consumer group.
	Topic, Group string
	// Start is where a group without committed offsets begins.
	Start Start
	// EnterpriseID goes into outcomes; it is CJ's name for the advertiser.
	EnterpriseID string
	// DeadLetterTopic and OutcomesTopic are where orders end.
	DeadLetterTopic, OutcomesTopic string
	// Version is ours, for dead letters.
	Version string
	// Replay is nil but for a replay.
	Replay *Replay

	Decode  schema.OrderDecoder
	Clicks  *sessions.Table
	Builder *postback.Builder
	Sender  Sender
	Breaker *breaker.Gate

	// BackoffInitial and BackoffMax bound the waits between the attempts of one order.
	BackoffInitial, BackoffMax time.Duration
	// CommitInterval is how often offsets are committed.
	CommitInterval time.Duration
	// Drain is how long orders under way may take to end when a partition is taken away or we stop. It must
	// be longer than one attempt and shorter than RebalanceTimeout.
	Drain time.Duration
	// FutureTolerance is how far ahead of our clock an order may say it was confirmed.
	FutureTolerance time.Duration
	// Concurrency is how many orders are being sent at once.
	Concurrency int
	// MassSamples is over how many of the latest distinct orders the mass rule judges; MassWait is how long a
	// rejected order waits where there are fewer.
	MassSamples int
	MassWait    time.Duration
	// Duplicates is how many acknowledged orders are remembered, to know them when they come again.
	Duplicates int
	// MaxPending and MaxPendingBytes bound the orders in memory, MaxPendingPerPartition those of one partition.
	MaxPending, MaxPendingBytes, MaxPendingPerPartition int
	// RetryAfterCap bounds how long CJ may make us wait with Retry-After.
	RetryAfterCap time.Duration
	// SessionTimeout and RebalanceTimeout are the group's.
	SessionTimeout, RebalanceTimeout time.Duration
	// InstanceID is our name in the group for static membership; empty for a dynamic member.
	InstanceID string

	// Client says how to reach Kafka: brokers, client id, security.
	Client []kgo.Opt
	Log    *slog.Logger
}

// Consumer is one member of the group. Use New, then Run once.
type Consumer struct {
	config Config
	client *kgo.Client
	// abort ends whatever the client waits for.
	abort      context.CancelFunc
	journal    *journal
	metrics    metrics
	health     health
	bounds     *bounds
	pauses     *pauses
	queue      *queue
	coming     coming
	await      await
	memory     *memory
	trails     trails
	turns      turns
	duplicates *duplicates
	// rules has the mass rule of each stage.
	rules map[stage]*mass
	// partitions is how many are ours.
	partitions atomic.Int32
	// aheadLimit is the constant of that name; tests make it smaller.
	aheadLimit int
	// taken is how many orders CJ has acknowledged.
	taken     atomic.Int64
	retention retention
	// lastFailure is why the latest attempt that failed did so.
	lastFailure atomic.Pointer[error]
	// topicID is the orders' topic as it was at the start.
	topicID [16]byte
	// member tells whether the group has given us our share of partitions, be it none.
	member atomic.Bool

	mu    sync.Mutex
	lives map[int32]*life
	// stopped holds partitions whose committed offset makes no sense, and why; they wait for a person.
	stopped map[int32]error
	// ends are the last stable offsets of our partitions as last sampled.
	ends map[int32]int64
	// assigned asks for a sample at once: until then nobody knows how much work the new partitions hold.
	assigned chan struct{}
	// lost is how much work there was when partitions were lost, until the group gives us some again.
	lost *Lag
	// stalled counts partitions with work that do not progress, as last sampled.
	stalled int
	// open are the partitions with offsets behind an open transaction, as last sampled.
	open map[int32]openTransaction

	// refusedMetadata is what is too long for the brokers where they take less than Kafka's default, in bytes.
	refusedMetadata atomic.Int64
	// said is the error of reading that the log said last, at saidAt. They belong to the polling goroutine.
	said   string
	saidAt time.Time
	// failing are the readiness checks that the log says are failing, and settled tells that it begins to speak of
	// them. They belong to the sampling goroutine.
	failing map[string]complaint
	settled bool
	// doubtUntil is until when a commit that had no answer may land after later ones. Whoever commits may use it.
	doubtUntil time.Time
	// commits makes commits one at a time: whoever puts something in may commit. It is no mutex, so that a wait
	// behind a commit that brokers do not answer ends with the time there is.
	commits chan struct{}
}

// New makes a Consumer. Nothing is connected before Run.
func New(config Config) *Consumer {
	rules := map[stage]*mass{}
	for _, at := range stages {
		rules[at] = newMass(at, massConfig{window: config.MassSamples, wait: config.MassWait, pace: at.pace()})
	}
	return &Consumer{
		config:     config,
		rules:      rules,
		duplicates: newDuplicates(config.Duplicates),
		metrics:    newMetrics(config.OutcomesTopic, config.DeadLetterTopic),
		bounds:     newBounds(config.MaxPending, config.MaxPendingBytes),
		queue:      newQueue(),
		memory:     newMemory(),
		failing:    map[string]complaint{},
		commits:    make(chan struct{}, 1),
		aheadLimit: aheadLimit,
		assigned:   make(chan struct{}, 1),
		lives:      map[int32]*life{},
		stopped:    map[int32]error{},
		ends:       map[int32]int64{},
	}
}

// Run consumes until ctx ends, then stops gracefully: it drains what is under way for as long as Drain,
// commits, and leaves the group. It returns nil then, and an error when it cannot start.
func (c *Consumer) Run(ctx context.Context) error {
	switch err := c.connect(ctx); {
	case err != nil && ctx.Err() != nil:
		return nil // told to stop before there was anything to stop
	case err != nil:
		return err
	}
	defer c.leave()
	journal, err := newJournal(ctx, c)
	if err != nil {
		return err
	}
	c.journal = journal
	defer journal.close()
	defer c.member.Store(false)

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return c.pollLoop(running) })
	group.Go(func() error { return c.commitLoop(running) })
	group.Go(func() error { return c.followBreaker(running) })
	group.Go(func() error { return c.sampleLoop(running) })
	var senders sync.WaitGroup
	for range c.config.Concurrency {
		senders.Go(c.send)
	}
	err = group.Wait()

	// The senders go on until the orders in their hands have been drained.
	defer senders.Wait()
	defer c.queue.close()
	drain, cancel := context.WithTimeout(context.Background(), c.config.Drain)
	defer cancel()
	c.release(drain, c.allLives())
	return err
}

// connect settles where the group starts and then makes the group's client, which joins at once.
func (c *Consumer) connect(ctx context.Context) error {
	seed, err := kgo.NewClient(c.config.Client...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer seed.Close()
	admin := kadm.NewClient(seed)
	if err := c.config.Start.settle(ctx, admin, c.config.Group, c.config.Topic, c.config.Log); err != nil {
		return err
	}
	topics, err := admin.ListTopics(ctx, c.config.Topic)
	if err != nil {
		return fmt.Errorf("asking for topic %s: %w", c.config.Topic, err)
	}
	c.topicID = topics[c.config.Topic].ID
	c.retention.refresh(ctx, admin, c.config.Topic)
	clientContext, abort := context.WithCancel(context.Background())
	c.abort = abort
	options := append(slices.Clone(c.config.Client),
		kgo.ConsumerGroup(c.config.Group),
		kgo.ConsumeTopics(c.config.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.config.SessionTimeout),
		kgo.RebalanceTimeout(c.config.RebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.WithContext(clientContext),
		// Callbacks wait while polled records are being handed to their lives.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(c.onAssigned),
		kgo.OnPartitionsRevoked(c.onRevoked),
		kgo.OnPartitionsLost(c.onLost),
		kgo.OnOffsetsFetched(c.onOffsetsFetched),
		// Markers are kept, so that their offsets are seen to be complete.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		// The default of 5 s is how long an added partition waits behind a long poll.
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxBytes(16<<20),
		// Partitions that are added are nobody's until they are noticed, and counted in no lag; the default is 5 minutes.
		kgo.MetadataMaxAge(30*time.Second),
		// Start.settle has committed an offset for every partition that had one; those added later are read
		// from their beginning.
		kgo.ConsumeStartOffset(kgo.NewOffset().At(0)),
		// Out of range never resets silently: forward would lose orders, back would fire history again.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if c.config.InstanceID != "" {
		options = append(options, kgo.InstanceID(c.config.InstanceID))
	}
	// The client joins the group at once: its first callback may come before it is here, and waits for it.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client, err = kgo.NewClient(options...); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	c.pauses = newPauses(c.client, c.config.Topic)
	return nil
}

// send makes attempts for orders that are ready, one at a time, until the queue is closed.
func (c *Consumer) send() {
	for p := c.queue.take(); p != nil; p = c.queue.take() {
		if p.claim() {
			p.attempt()
		}
		c.queue.done()
	}
}

func (c *Consumer) life(partition int32) *life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lives[partition]
}

func (c *Consumer) allLives() []*life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.lives))
}

func (c *Consumer) newBackoff() *breaker.Backoff {
	return breaker.NewBackoff(c.config.BackoffInitial, c.config.BackoffMax)
}

// share is what the held orders of one of our partitions may take.
func (c *Consumer) share() share { return shareOf(c.config, int(c.partitions.Load())) }
