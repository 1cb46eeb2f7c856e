package letters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Redriver sends letters again. Each goes once, however often it is interrupted or run: the order's new record and the
// note that tells of it are one transaction, and a run begins by ending whatever another one has left open.
type Redriver struct {
	// Client says how to reach Kafka.
	Client []kgo.Opt
	// DeadLetters and Orders are the topics.
	DeadLetters, Orders string
	// Version is ours, for the notes.
	Version string
	// Force sends letters that came back too often, too.
	Force bool
	// Home is the partition of the orders' topic where an order belongs. Nil leaves each where it was.
	Home func(ctx context.Context, order *kgo.Record) int32
	// Mended are values that a person has mended, by letter. Other letters go as they are.
	Mended map[Place]Mended
	// Progress is told after each transaction how many letters have gone so far. It may be nil.
	Progress func(done int)
}

// The bounds of one transaction: what is sent at once and, if the brokers die just then, written for nothing.
const (
	transactionLetters = 500
	transactionBytes   = 4 << 20
	// transactionTime is how long one may take. It goes on when the run is told to stop: half of it is no use.
	transactionTime = 30 * time.Second
)

// ErrFenced: another run has begun, which ends this one.
var ErrFenced = errors.New("another run that sends letters of this topic again, `cjrelay dlq redrive` or a console's, has begun and ended this one; " +
	"what is left that one, or the next, sends")

// letterRecord is a letter with its bytes.
type letterRecord struct {
	letter Letter
	record *kgo.Record
}

// Run sends letters again that were chosen before. Of each it needs the place, and the order's id for the answer. It
// returns those that went, in the order in which they did, and those that turn out not to, also when it ends with an
// error or ctx before all have gone. What it was about to send when ctx ended takes up to 35 seconds more, where the
// brokers are slow.
func (r Redriver) Run(ctx context.Context, chosen []Letter) (gone []Letter, refused []Refused, err error) {
	client, err := r.producer(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	// Only now it is settled what others have sent: nobody else can, from here on.
	if _, _, err := client.ProducerID(ctx); err != nil {
		return nil, nil, fmt.Errorf("beginning transactions as %s: %w", r.transactionalID(), err)
	}
	now, err := standing(ctx, client, r.DeadLetters, chosen)
	if err != nil {
		return nil, nil, err
	}
	var still []Letter
	for _, l := range chosen {
		latest, there := now[l.Place]
		if !there {
			refused = append(refused, Refused{l, "is gone: retention has taken it"})
			continue
		}
		latest.OrderID = l.OrderID
		still = append(still, latest)
	}
	may, not := Sort(still, r.Orders, r.Force)
	refused = append(refused, not...)

	run := &redriving{Redriver: r, client: client, refused: refused, written: map[partition]int64{}}
	var batch []letterRecord
	bytes := 0
	err = fetchLetters(ctx, client, r.DeadLetters, may, func(l Letter, record *kgo.Record) error {
		batch = append(batch, letterRecord{l, record})
		if bytes += len(record.Key) + len(record.Value); len(batch) < transactionLetters && bytes < transactionBytes {
			return nil
		}
		full := batch
		batch, bytes = nil, 0
		return run.send(ctx, full)
	})
	if err == nil {
		err = run.send(ctx, batch)
	}
	run.settle(context.WithoutCancel(ctx))
	return run.gone, run.refused, err
}

func (r Redriver) transactionalID() string { return "cjrelay-redrive." + r.DeadLetters }

func (r Redriver) producer(ctx context.Context) (*kgo.Client, error) {
	options := append(slices.Clone(r.Client),
		kgo.TransactionalID(r.transactionalID()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()))
	seed, err := kgo.NewClient(r.Client...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer seed.Close()
	if limit, err := largestRecord(ctx, seed, r.Orders); err == nil {
		options = append(options, kgo.ProducerBatchMaxBytes(limit))
	}
	return kgo.NewClient(options...)
}

// largestRecord is what a topic takes. Orders that it took once must be produced to it again.
func largestRecord(ctx context.Context, client *kgo.Client, topic string) (int32, error) {
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, err
	}
	for _, topic := range configs {
		for _, config := range topic.Configs {
			if config.Key == "max.message.bytes" {
				limit, err := strconv.ParseInt(config.MaybeValue(), 10, 32)
				return int32(limit), err
			}
		}
	}
	return 0, fmt.Errorf("the brokers do not tell max.message.bytes of topic %s", topic)
}

// redriving is one run.
type redriving struct {
	Redriver
	client  *kgo.Client
	gone    []Letter
	refused []Refused
	// written has the latest record of each partition that was written to.
	written map[partition]int64
}

// send sends a batch in one transaction, or each letter in its own where one of them does not fit.
func (r *redriving) send(ctx context.Context, batch []letterRecord) error {
	if len(batch) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
	defer cancel()
	gone, err := r.transact(working, batch)
	switch {
	case err == nil:
		r.gone = append(r.gone, gone...)
		if r.Progress != nil {
			r.Progress(len(r.gone))
		}
		return nil
	case errors.Is(err, kerr.MessageTooLarge) && len(batch) > 1:
		for _, one := range batch {
			if err := r.send(ctx, []letterRecord{one}); err != nil {
				return err
			}
		}
		return nil
	case errors.Is(err, kerr.MessageTooLarge):
		r.refused = append(r.refused, Refused{batch[0].letter, fmt.Sprintf("does not fit into topic %s with the headers that tell where it comes from: "+
			"raise max.message.bytes of the topic by a kilobyte", r.Orders)})
		return nil
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		return ErrFenced
	}
	return err
}

// transact sends letters again and notes it, all or nothing.
func (r *redriving) transact(ctx context.Context, batch []letterRecord) (gone []Letter, err error) {
	if err := r.client.BeginTransaction(); err != nil {
		return nil, err
	}
	gone, err = r.write(ctx, batch)
	if err != nil {
		// Where this fails too, the next run ends the transaction.
		_ = r.client.EndTransaction(ctx, kgo.TryAbort)
		return nil, err
	}
	if err := r.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return nil, fmt.Errorf("ending a transaction of %d letters; whether they were sent the next run knows: %w", len(batch), err)
	}
	return gone, nil
}

func (r *redriving) write(ctx context.Context, batch []letterRecord) ([]Letter, error) {
	orders := make([]*kgo.Record, len(batch))
	for i, one := range batch {
		mended, is := r.Mended[one.letter.Place]
		if is && hashOf(one.record.Value) != mended.Original {
			return nil, fmt.Errorf("letter %s does not hold what was exported: the export is of another topic of that name", one.letter)
		}
		order := one.letter.again(one.record, r.Orders, mended.Value)
		if r.Home != nil {
			order.Partition = r.Home(ctx, order)
		}
		orders[i] = order
	}
	if err := r.client.ProduceSync(ctx, orders...).FirstErr(); err != nil {
		return nil, fmt.Errorf("writing to topic %s: %w", r.Orders, err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	gone, notes := make([]Letter, len(batch)), make([]*kgo.Record, len(batch))
	for i, one := range batch {
		to := Place{r.Orders, orders[i].Partition, orders[i].Offset}
		gone[i] = one.letter
		gone[i].Redriven = &Redriven{To: to, At: now}
		notes[i] = one.letter.note(to, now, r.Version)
	}
	if err := r.client.ProduceSync(ctx, notes...).FirstErr(); err != nil {
		return nil, fmt.Errorf("writing to topic %s: %w", r.DeadLetters, err)
	}
	for _, record := range slices.Concat(orders, notes) {
		at := partition{record.Topic, record.Partition}
		r.written[at] = max(r.written[at], record.Offset)
	}
	return gone, nil
}

// partition is one of a topic.
type partition struct {
	topic  string
	number int32
}

// settleTime is how long the brokers may take to show what was committed.
const settleTime = 5 * time.Second

// settle waits until everybody sees what was sent. A transaction is committed a moment before that, and whoever lists
// the letters within that moment would see those wait that have just gone. It is no error when it takes longer: a next
// run waits for the transaction itself.
func (r *redriving) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	admin := kadm.NewClient(r.client)
	for len(r.written) > 0 {
		ends, err := admin.ListCommittedOffsets(ctx, r.Orders, r.DeadLetters)
		if err != nil {
			return
		}
		maps.DeleteFunc(r.written, func(at partition, offset int64) bool {
			end, ok := ends.Lookup(at.topic, at.number)
			return ok && end.Offset > offset
		})
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

func hashOf(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:])
}
