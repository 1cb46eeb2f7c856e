//go:build synctests

package sim

import (
	"time"
)

const (
	// commitGrace is how long the relay may take over a last commit, beyond its drain.
	commitGrace = 5 * time.Second
	// leaving is how long Kafka's clients may take to say goodbye.
	leaving = 5 * time.Second
	// idle is how long a relay runs that should find nothing to do.
	idle = 15 * time.Second
)

// stopAll ends the relays that run, one after the other, so that each but the last hands over to another one.
func (w *world) stopAll() {
	for _, u := range w.running() {
		told := time.Now()
		u.leave()
		<-u.over
		if took, most := time.Since(told), w.options.Drain+commitGrace+leaving; took > most {
			w.found(gracefulStop, "%s took %v to stop, more than %v", u.name, took, most)
		}
		if info := w.kafka.GroupInfo(w.config.Orders.Group); info != nil {
			for _, m := range info.Members {
				if m.ClientID == u.name {
					w.found(gracefulStop, "%s has stopped and is still a member of the group", u.name)
				}
			}
		}
	}
	for _, u := range w.all() {
		<-u.over
		if u.err != nil {
			w.found(gracefulStop, "%s ended with an error: %v", u.name, u.err)
		}
	}
	w.watch.look()
	for partition, end := range w.ends(w.config.Orders.Topic) {
		if at := w.watch.committed(partition); at != end {
			w.found(gracefulStop, "partition %d was left at %d of %d", partition, at, end)
		}
	}
}

// startOnce runs one more relay, with no memory of its own: what is committed must tell it that nothing is left.
func (w *world) startOnce() {
	before := len(w.cj.all())
	w.mu.Lock()
	w.dirs = nil
	w.mu.Unlock()
	u := w.start()
	time.Sleep(idle)
	u.leave()
	<-u.over
	if n := len(w.cj.all()) - before; n > 0 {
		w.found(boundedDuplicates, "a relay that started after everything was done sent %d orders again", n)
	}
}
