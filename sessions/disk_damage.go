package sessions

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// damage is what was found wrong with the files.
type damage struct{ err error }

// failed is the error of an operation on the database; what it says of damage is noted first.
func (d *Disk) failed(doing string, err error) error {
	if isDamage(err) {
		return d.damaged(d.disk.Load(), err)
	}
	return fmt.Errorf("%s in the click table in %s: %w", doing, d.config.Dir, err)
}

// isDamage reports whether an error says that files do not hold what was written.
func isDamage(err error) bool {
	return pebble.IsCorruptionError(err) || errors.Is(err, ErrDamaged)
}

// damaged notes that the files cannot be trusted: for everybody who asks from now on, and with a marker for the
// next Begin, which may not come across the same place. What is said of files that were set aside meanwhile, by
// what Pebble leaves behind when it cannot open them, counts for nothing.
func (d *Disk) damaged(disk *patientFS, cause error) error {
	d.noting.Lock()
	defer d.noting.Unlock()
	reason := firstLine(cause)
	found := fmt.Errorf("%w (directory %s: %s)", ErrDamaged, d.config.Dir, reason)
	if d.disk.Load() != disk || !d.damage.CompareAndSwap(nil, &damage{found}) {
		return found
	}
	disk.freeze()
	d.config.Log.Error("the click table's files are damaged", "dir", d.config.Dir, "reason", reason)
	if err := d.files.mark(reason); err != nil {
		d.config.Log.Error("the damage cannot be noted for the next start; remove the directory by hand",
			"dir", d.files.database(), "error", err.Error())
	}
	return found
}

// firstLine is what an error of Pebble says to others than its own developers.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// forget lets go of files and of what was noted of them.
func (d *Disk) forget() {
	d.noting.Lock()
	defer d.noting.Unlock()
	d.disk.Store(nil)
	d.damage.Store(nil)
}
