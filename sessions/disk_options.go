package sessions

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// pebbleFormat is the version of Pebble's own files. It is named, so that a newer library does not turn a
// database into one that the version before cannot read.
const pebbleFormat = pebble.FormatValueSeparation

// diskOptions are Pebble's options. Those with a number were chosen by measuring with ten million sessions.
func (d *Disk) diskOptions(disk *patientFS) *pebble.Options {
	memory := d.config.MemoryBytes
	options := &pebble.Options{
		FS:       disk,
		Comparer: diskComparer(),
		Merger:   diskMerger,
		Logger:   diskLog{d.config.Log, d.exit},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { d.backgroundError(disk, err) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { _ = d.damaged(disk, info.Details) },
			FlushBegin:      d.flushing.begun,
			FlushEnd: func(info pebble.FlushInfo) {
				if d.flushing.ended(info) {
					disk.well()
				}
			},
		},
		FormatMajorVersion: pebbleFormat,
		// Positions are in the database with what was read up to them: what a crash takes is read again, and a
		// log of writes would only cost twice the writing.
		DisableWAL:                  true,
		CacheSize:                   memory / 2,
		MemTableSize:                uint64(min(memory/16, 64<<20)),
		MemTableStopWritesThreshold: 4,
		// Lookups are slower while many runs wait to be brought together, but writes are not held up: the
		// sooner the topic is read, the sooner there are lookups at all.
		L0StopWritesThreshold:      1 << 20,
		L0CompactionThreshold:      4,
		LBaseMaxBytes:              64 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		MaxOpenFiles:               500,
		// Ids and UUIDs are random: there is nothing to compress.
	}
	options.Experimental.CompactionScheduler = &d.compactions
	for i := range options.Levels {
		// A lookup that misses the cache reads one block and puts it there.
		options.Levels[i].BlockSize = 2 << 10
		options.Levels[i].IndexBlockSize = 64 << 10
		options.Levels[i].Compression = func() *block.CompressionProfile { return block.NoCompression }
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	options.EnsureDefaults()
	return options
}

// diskComparer orders keys by their bytes, and never shows one: a session may be somebody's e-mail address.
func diskComparer() *pebble.Comparer {
	comparer := *pebble.DefaultComparer
	comparer.FormatKey = func(key []byte) fmt.Formatter { return hiddenKey(len(key)) }
	return &comparer
}

// hiddenKey stands for a key of so many bytes.
type hiddenKey int

// Format implements fmt.Formatter.
func (k hiddenKey) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "(key of %d bytes)", int(k)) }

// diskLog is Pebble's logger.
type diskLog struct {
	log  *slog.Logger
	exit func(code int)
}

// Infof implements pebble.Logger.
func (l diskLog) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

// Errorf implements pebble.Logger.
func (l diskLog) Errorf(format string, args ...any) {
	l.log.Warn("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble calls it when it cannot tell what is in its manifest, holds its locks
// and expects not to come back. The process ends: all that is lost is read from the topic again, and a store
// that hangs would be noticed later.
func (l diskLog) Fatalf(format string, args ...any) {
	l.log.Error("the click table's database cannot go on; the process ends, and the next start reads from the topic what was not yet in the files",
		"error", fmt.Sprintf(format, args...))
	l.exit(1)
}
