package sessions

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// damage is what was found wrong with the files.
type damage struct{ err error }

// failed is the error of an operation on the database; what it says of damage is noted first.
func (d *Disk) failed(doing string, err error) error {
	if isDamage(err) {
		return d.damaged(err)
	}
	return fmt.Errorf("%s in the click table in %s: %w", doing, d.config.Dir, err)
}

// isDamage reports whether an error says that files do not hold what was written.
func isDamage(err error) bool {
	return pebble.IsCorruptionError(err) || errors.Is(err, ErrDamaged)
}

// damaged notes that the files cannot be trusted: for everybody who asks from now on, and with a marker for the
// next Begin, which may not come across the same place.
func (d *Disk) damaged(cause error) error {
	found := &damage{fmt.Errorf("%w (directory %s: %v)", ErrDamaged, d.config.Dir, cause)}
	if !d.damage.CompareAndSwap(nil, found) {
		return d.damage.Load().err
	}
	d.config.Log.Error("the click table's files are damaged", "dir", d.config.Dir, "cause", cause)
	if err := d.files.mark(cause.Error()); err != nil {
		d.config.Log.Error("the damage cannot be noted for the next start; remove the directory by hand",
			"dir", d.files.database(), "err", err)
	}
	return found.err
}
