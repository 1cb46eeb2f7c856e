package chaos

import "time"

// commitGrace is how long a process tries its last commit after the drain.
const commitGrace = 5 * time.Second

// onTheWay is how long a request may take to be noticed by CJ, which is in the busy process of this test.
const onTheWay = time.Second

// disturbances are what happened to the processes, as far as somebody else may do again what they had in hand. That a
// process could not commit must be in its log: without that, a stop or a revoke is no excuse.
func (s *Stand) disturbances() []Disturbance {
	var all []Disturbance
	for _, r := range s.Relays() {
		if !r.killed.IsZero() {
			all = append(all, Disturbance{Relay: r.Name, Why: Killed, At: r.killed})
		}
		lost, _ := r.log.when(saysLost)
		for _, m := range lost {
			all = append(all, Disturbance{r.Name, Lost, m.At, r.nextAssignment(m.At).Add(onTheWay)})
		}
		handovers, _ := r.log.when(saysRevoked)
		stopping, _ := r.log.when(saysStopping)
		failures, _ := r.log.when(saysCommitFailed)
		for _, handover := range append(handovers, stopping...) {
			if last := within(failures, handover.At, handover.At.Add(s.Config.Delivery.Drain+commitGrace)); !last.IsZero() {
				all = append(all, Disturbance{r.Name, Hindered, last, last.Add(onTheWay)})
			}
		}
	}
	return all
}

// nextAssignment is until when a process that has lost its partitions may have worked on them: it says that they are
// lost, then cuts short what is under way, and only then joins the group again.
func (r *Relay) nextAssignment(lost time.Time) time.Time {
	assigned, _ := r.log.when(saysAssigned)
	for _, m := range assigned {
		if m.At.After(lost) {
			return m.At
		}
	}
	return r.ended
}

// within is the last of the moments that lies between two times, zero where none does.
func within(moments []moment, from, to time.Time) (last time.Time) {
	for _, m := range moments {
		if !m.At.Before(from) && !m.At.After(to) {
			last = m.At
		}
	}
	return last
}
