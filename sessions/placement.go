package sessions

import "github.com/twmb/franz-go/pkg/kgo"

// place compares where a click lies with where the partitioner puts its session. Whether an order is in the wrong
// partition can only be told by a partitioner that the clicks were seen to obey.
func (t *Table) place(record *kgo.Record, in *hand) {
	if t.config.Layout == Global {
		return
	}
	if t.config.Partitioner(record.Key, int(t.partitions.Load())) != int(record.Partition) {
		in.agreeing = 0
		t.metrics.misplaced.Inc()
		if !t.misplacedLogged.Swap(true) {
			t.config.Log.Warn("a click does not lie where clicks.partitioner puts its session: its orders find it only if they lie there too; "+
				"later ones are only counted in cjrelay_clicks_misplaced_total", "topic", record.Topic, "partition", record.Partition, "offset", record.Offset)
		}
		return
	}
	in.agreeing = min(in.agreeing+1, AgreeingEnough)
}

// stray tells whether an order of the session lies in the wrong partition: another one has its clicks.
func (t *Table) stray(partition int32, session string) bool {
	return t.config.Layout == Copartitioned && t.progress.agreeing() >= AgreeingEnough &&
		t.config.Partitioner([]byte(session), int(t.partitions.Load())) != int(partition)
}
