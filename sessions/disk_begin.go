package sessions

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// Begin implements Store. Setting aside what it does not trust, it says why in the log.
func (d *Disk) Begin(origin Origin) error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.lock == nil || d.db != nil {
		return errors.New("the click table's store was begun or closed before")
	}
	if origin.Layout != Global && origin.Layout != Copartitioned {
		return fmt.Errorf("the click table's layout %q: must be %s or %s", origin.Layout, Global, Copartitioned)
	}
	d.layout = origin.Layout
	d.flushing.failure = make(chan error, 1)
	if err := d.begin(origin); err != nil {
		return fmt.Errorf("open the click table in %s: %w", d.config.Dir, err)
	}
	d.disk.Load().begin()
	d.startFlushing()
	return nil
}

func (d *Disk) begin(origin Origin) error {
	if err := d.room(0); err != nil {
		return err
	}
	if err := d.files.clearRuns(); err != nil {
		return cannotWrite(d.config.Dir, err)
	}
	exists, err := d.files.exists(d.files.database())
	if err != nil {
		return err
	}
	if !exists {
		return d.create(origin)
	}
	reason, err := d.reopen(origin)
	if err != nil {
		return err
	}
	if reason == "" {
		// What was set aside still holds clicks that were erased since.
		if err := d.files.fs.RemoveAll(d.files.aside()); err != nil {
			d.config.Log.Warn("what was set aside of the click table cannot be removed", "dir", d.files.aside(), "error", err.Error())
		}
		return nil
	}
	d.config.Log.Warn("the click table's files are set aside and made anew from the topic",
		"reason", reason, "dir", d.files.database(), "set_aside", d.files.aside())
	d.forget()
	if err := d.files.setAside(); err != nil {
		return fmt.Errorf("set aside %s: %w", d.files.database(), err)
	}
	return d.create(origin)
}

// create makes an empty database and notes what it is of.
func (d *Disk) create(origin Origin) error {
	if err := d.files.unmark(); err != nil {
		return err
	}
	if err := d.open(func(options *pebble.Options) { options.ErrorIfExists = true }); err != nil {
		return err
	}
	if err := d.db.Set([]byte{identitySpace}, identity(origin), pebble.NoSync); err != nil {
		return errors.Join(err, d.abandon())
	}
	d.flushing.dirty.Store(true)
	if err := d.flush(); err != nil {
		return errors.Join(err, d.abandon())
	}
	return nil
}

// reopen opens the database that is there. The reason says why it must be set aside; then it is closed again.
// An error says nothing about the database.
func (d *Disk) reopen(origin Origin) (reason string, err error) {
	marked, err := d.files.exists(d.files.marker())
	if err != nil {
		return "", err
	}
	if marked {
		return "it was found to be damaged while it was used", nil
	}
	if err := d.open(func(options *pebble.Options) { options.ErrorIfNotExists = true }); err != nil {
		if ofMachine(err) {
			return "", err
		}
		return "it cannot be opened: " + firstLine(err), nil
	}
	if err := d.load(origin); err != nil {
		closed := d.abandon()
		if ofMachine(err) {
			return "", errors.Join(err, closed)
		}
		return firstLine(err), nil
	}
	if damage := d.damage.Load(); damage != nil {
		_ = d.abandon()
		return damage.err.Error(), nil
	}
	return "", nil
}

// open opens the database. Its files may hold anything, even what makes Pebble panic.
func (d *Disk) open(with func(*pebble.Options)) (err error) {
	disk := &patientFS{FS: d.files.fs, dir: d.config.Dir, log: d.config.Log, pause: d.pause}
	d.disk.Store(disk)
	d.options = d.diskOptions(disk)
	with(d.options)
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
		if err != nil {
			// Pebble leaves goroutines behind that would go on to work on files which are no longer its own.
			disk.begin()
			disk.freeze()
		}
	}()
	// A compaction that begins now would hold up the opening until it has ended.
	d.compactions.wait()
	d.db, err = pebble.Open(d.files.database(), d.options)
	return err
}

// load checks what the database is of, and takes in its checkpoints.
func (d *Disk) load(origin Origin) error {
	found, closer, err := d.db.Get([]byte{identitySpace})
	if errors.Is(err, pebble.ErrNotFound) {
		return errors.New("it was not finished when it was made")
	}
	if err != nil {
		return err
	}
	differs := differs(found, origin)
	if err := closer.Close(); err != nil {
		return err
	}
	if differs != "" {
		return errors.New(differs)
	}
	return d.loadCheckpoints()
}

// loadCheckpoints looks at the beginning of each space. Checkpoints come before the sessions there, so that it
// reads nothing else.
func (d *Disk) loadCheckpoints() error {
	keys, err := d.db.NewIter(&pebble.IterOptions{LowerBound: []byte{dataSpace}, UpperBound: []byte{dataSpace + 1}})
	if err != nil {
		return err
	}
	size := spaceSize(d.layout)
	for valid := keys.First(); valid; {
		key := keys.Key()
		if len(key) <= size {
			return errors.Join(damaged("a key of %d bytes", len(key)), keys.Close())
		}
		if key[size] != checkpointTag {
			valid = keys.SeekGE(afterSpace(key[:size]))
			continue
		}
		partition, ok := parseCheckpointKey(key, d.layout)
		value, err := keys.ValueAndErr()
		if err == nil && !ok {
			err = damaged("a checkpoint under a key of %d bytes", len(key))
		}
		var checkpoint Checkpoint
		if err == nil {
			checkpoint, err = decodeCheckpoint(value)
		}
		if err != nil {
			return errors.Join(err, keys.Close())
		}
		d.checkpoints[partition] = checkpoint
		valid = keys.Next()
	}
	return errors.Join(keys.Error(), keys.Close())
}

// afterSpace is the first key after all of a space.
func afterSpace(space []byte) []byte {
	after := append([]byte{}, space...)
	for i := len(after) - 1; ; i-- {
		if after[i]++; after[i] != 0 {
			return after
		}
	}
}

// ofMachine reports whether an error comes from the machine and not from the files: with other rights or more
// room the same files may be in order.
func ofMachine(err error) bool {
	for _, of := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// abandon closes a database of which nothing is to be kept.
func (d *Disk) abandon() error {
	db := d.db
	d.db = nil
	clear(d.checkpoints)
	return db.Close()
}

// closeDB brings everything to the files and closes them.
func (d *Disk) closeDB() error {
	d.stopFlushing()
	d.flushing.stop = nil
	if d.damage.Load() != nil {
		// Nothing of it is kept, and what the database finds wrong with itself now is known.
		_ = d.abandon()
		return nil
	}
	return errors.Join(d.flush(), d.abandon())
}
