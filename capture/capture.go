package capture

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Capture catches clicks. Make it with New, serve requests through Middleware or Catch, and let Run carry the clicks to
// Kafka meanwhile. It is safe for concurrent use.
type Capture struct {
	config   Config
	keys     keys
	origin   origin
	limiter  *limiter
	queue    *queue
	spool    *spool
	metrics  *metrics
	troubles *troubles
	// What is most likely a mistake in the set-up is logged once.
	saidFlood, saidInsecure, saidForeignHost sync.Once
}

// New checks the configuration and opens the spool, which may hold clicks of an earlier process. It does not connect to
// Kafka. The error is a *schema.FieldError for a field that breaks a rule, and otherwise names the spool's directory.
// Call Close when Run is never called.
func New(config Config) (*Capture, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	return open(config, osFiles{config.Spool.Dir})
}

// open is New over any file system.
func open(config Config, files files) (_ *Capture, err error) {
	metrics := newMetrics()
	troubles := newTroubles(config.Log)
	spool, err := openSpool(files, config.Spool.MaxBytes, metrics, troubles, config.Log)
	if err != nil {
		return nil, fmt.Errorf("spool_dir %s: %w", config.Spool.Dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, spool.close())
		}
	}()
	keys, err := newKeys(config.Secrets, files)
	if err != nil {
		return nil, fmt.Errorf("spool_dir %s: %w", config.Spool.Dir, err)
	}
	if err := kgo.ValidateOpts(clientOptions(config)...); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &Capture{
		config: config, keys: keys, spool: spool, queue: newQueue(spool), metrics: metrics, troubles: troubles,
		origin:  origin{config.TrustedProxies},
		limiter: newLimiter(config.ClientRate, config.ClientBurst),
	}, nil
}

// Close gives up the spool of a Capture whose Run was never called. Run does so itself.
func (c *Capture) Close() error {
	c.queue.close()
	return c.spool.close()
}

// Run writes clicks to the spool and from there to Kafka until ctx ends; then it takes no more clicks, writes those it
// took to the spool, and goes on producing for at most Config.Drain. Stop serving requests before ctx ends: what comes
// later is dropped and counted. It may be called once. The error tells that the spool could not be closed cleanly.
func (c *Capture) Run(ctx context.Context) error {
	producer, err := newProducer(c.spool, c.config, c.metrics, c.troubles)
	if err != nil {
		return fmt.Errorf("kafka: %w", errors.Join(err, c.Close()))
	}
	c.troubles.running(true)
	defer c.troubles.running(false)
	stop := context.AfterFunc(ctx, c.queue.close)
	defer stop()
	producing, stopProducing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProducing()
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		producer.run(producing)
	}()
	c.write()
	c.spool.finish()
	// All is in the spool now that will be. What Kafka takes soon need not wait there for the next start.
	timer := time.AfterFunc(c.config.Drain, func() {
		stopProducing()
		// What a broker that hangs was sent is given up only with the connection.
		producer.close()
	})
	<-produced
	timer.Stop()
	producer.close()
	return c.spool.close()
}

// pace is the least time between the beginnings of two groups, on disk and to Kafka. A group costs the processor as much
// as serving a page, however many clicks it has. One that comes alone goes at once.
const pace = 10 * time.Millisecond

// write carries clicks from the queue to the spool until the queue is closed and empty. All that came while one group
// was written, or the pace was kept, are the next group. Pages that wait for the disk do not wait for the pace.
func (c *Capture) write() {
	for {
		group, open := c.queue.take()
		began := time.Now()
		if len(group) > 0 {
			c.spool.append(group)
		}
		if !open {
			return
		}
		if !c.config.Durable {
			time.Sleep(pace - time.Since(began))
		}
	}
}

// Forget erases a session from the click topic and everything that is read from it. The erasure takes the way of the
// clicks, so that no click that was taken before can undo it; nil means that it is safely on disk and will be
// produced. A *schema.FieldError means that no session can have that id, any other error that it is not on disk: try
// again. It does not reach orders that were sent already, outcomes and dead letters, clicks that wait in the spool of
// another edge, or the shopper's cookies (ForgetShopper expires those).
func (c *Capture) Forget(ctx context.Context, session string) error {
	if err := validSession(session); err != nil {
		return err
	}
	entry := newEntry(record{kind: erasure, session: session, at: now()})
	if err := c.queue.add(entry); err != nil {
		return err
	}
	c.metrics.erased.Inc()
	return entry.durable(ctx)
}

// ForgetShopper erases every session that the request shows and adds to header the cookies that expire CJ's and ours,
// so that the shopper's next request does not write the click again. Sessions that the shopper had before and does not
// show any more are not reached. The error is Forget's, of the first session that could not be erased.
func (c *Capture) ForgetShopper(ctx context.Context, r *http.Request, header http.Header) error {
	for _, name := range []string{cookieCJ, cookieCompanion, cookieSession} {
		header.Add("Set-Cookie", c.cookie(name, "", -1, c.origin.host(r)))
	}
	keepPrivate(header)
	for _, session := range c.requestSessions(r) {
		if err := c.Forget(ctx, session); err != nil {
			return err
		}
	}
	return nil
}

// Check is one condition with a name.
type Check struct {
	Name string
	// Err is nil when the condition holds, otherwise what is wrong in plain words.
	Err error
}

// Ready lists what must hold for pages to be served: only that Run runs. Kafka and the disk are not among it, since an
// edge that is taken out of service because of them takes the shop down. Those are in Troubles.
func (c *Capture) Ready() []Check { return c.troubles.ready() }

// Troubles lists what keeps clicks from getting to Kafka, each with nil while there is none: "kafka", "registry" (the
// clicks cannot be encoded), "spool" (the disk) and "room" (the spool is full, and clicks are being dropped).
func (c *Capture) Troubles() []Check { return c.troubles.list() }

// Describe and Collect make the Capture a prometheus.Collector.
func (c *Capture) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, descriptions)
}

// Collect implements prometheus.Collector. It may be called before, during and after Run.
func (c *Capture) Collect(collected chan<- prometheus.Metric) {
	c.metrics.collect(collected, c.spool.state(), c.queue.length())
}

var _ prometheus.Collector = (*Capture)(nil)

// now is the time as clicks have it: what Kafka, Avro and the companion cookie keep of it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
