package letters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// manifestName is the file of an export that says what the others are.
const manifestName = "manifest.json"

// manifestVersion is the "v" of a manifest. A reader refuses another one.
const manifestVersion = 1

// manifest says what the files of an export are.
type manifest struct {
	Version int        `json:"v"`
	Topic   string     `json:"topic"`
	Letters []exported `json:"letters"`
}

// exported is one letter and the file with its order's bytes.
type exported struct {
	File string `json:"file"`
	// SHA256 is the file's as it was written. One that has another by now was mended.
	SHA256 string `json:"file_sha256"`
	Letter
}

// Export writes the original bytes of letters into a folder, a file each, with a manifest that says what each of them
// is. The folder must be empty or not there; it and the files are for their owner only, since they hold what shoppers
// bought, and click ids. The files end with that extension. Letters without a value are left out.
func (b *Box) Export(ctx context.Context, chosen []Letter, dir, extension string) (written []Letter, err error) {
	if err := makeEmpty(dir); err != nil {
		return nil, err
	}
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(l Letter) bool { return !l.HasValue() })
	list := manifest{Version: manifestVersion, Topic: b.topic, Letters: []exported{}}
	err = b.Fetch(ctx, chosen, func(l Letter, record *kgo.Record) error {
		file := fmt.Sprintf("%d-%d.%s", l.Place.Partition, l.Place.Offset, extension)
		list.Letters = append(list.Letters, exported{File: file, SHA256: hashOf(record.Value), Letter: l})
		written = append(written, l)
		return os.WriteFile(filepath.Join(dir, file), record.Value, 0o600)
	})
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, err
	}
	// Last, so that a folder with a manifest is whole.
	return written, os.WriteFile(filepath.Join(dir, manifestName), append(text, '\n'), 0o600)
}

func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("folder %s is not empty: name one that is, or that is not there yet", dir)
	}
	return nil
}

// Mended is an order that a person has mended.
type Mended struct {
	// Value is the order now, Original the hash of what it was.
	Value    []byte
	Original string
}

// ReadMended returns the values of an export's files that differ from what was written, by letter. Files that were
// removed are left out: whoever mends may leave some for later.
func ReadMended(dir, topic string) (map[Place]Mended, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("folder %s has no %s: name one that `cjrelay dlq export` has written", dir, manifestName)
	}
	if err != nil {
		return nil, err
	}
	var list manifest
	if err := json.Unmarshal(text, &list); err != nil || list.Version != manifestVersion {
		return nil, fmt.Errorf("%s is not a manifest of this version of cjrelay: export the letters again", filepath.Join(dir, manifestName))
	}
	if list.Topic != topic {
		return nil, fmt.Errorf("folder %s holds letters of topic %s, and dead_letter.topic is %s", dir, list.Topic, topic)
	}
	mended := map[Place]Mended{}
	for _, one := range list.Letters {
		if filepath.Base(one.File) != one.File {
			return nil, fmt.Errorf("%s names the file %q, which is not in the folder", manifestName, one.File)
		}
		value, err := os.ReadFile(filepath.Join(dir, one.File))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if hashOf(value) != one.SHA256 {
			mended[one.Place] = Mended{Value: value, Original: one.SHA256}
		}
	}
	return mended, nil
}
