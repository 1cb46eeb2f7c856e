// Package consumer takes orders out of Kafka and lets their offsets be committed only when each has an
// outcome: group membership, one partition's life per assignment, completion tracking, commits, dead
// letters and outcomes.
//
// The way of one order is passage.go, from top to bottom. A partition's life (life.go) begins when the
// group assigns it and ends when the group takes it away; nothing of it survives into the next one.
package consumer
