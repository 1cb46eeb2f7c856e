package capture

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
)

// macBytes is how much of a MAC the companion carries: 128 bits.
const macBytes = 16

// The labels keep what one use of a secret signs from meaning anything to the other.
const (
	labelCompanion = "cjrelay companion\x00"
	labelSession   = "cjrelay session\x00"
)

// key is one secret.
type key struct{ secret string }

// keys are all that are accepted. The first signs. There is at least one.
type keys []key

// secretFile is where a secret that nobody configured is kept.
const secretFile = "secret"

// newKeys takes the configured secrets, or else the one that is kept among the spool's files and made when missing.
func newKeys(secrets []string, files files) (keys, error) {
	if len(secrets) == 0 {
		secret, err := keptSecret(files)
		if err != nil {
			return nil, err
		}
		secrets = []string{secret}
	}
	var k keys
	for _, secret := range secrets {
		k = append(k, key{secret})
	}
	return k, nil
}

func keptSecret(files files) (string, error) {
	kept, err := files.read(secretFile)
	if err == nil && len(bytes.TrimSpace(kept)) >= minSecret {
		return string(bytes.TrimSpace(kept)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	made := rand.Text() + rand.Text()
	if err := replaceFile(files, secretFile, []byte(made+"\n")); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return made, nil
}

func (k key) mac(label, text string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, []byte(k.secret))
	mac.Write([]byte(label))
	mac.Write([]byte(text))
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	return sum
}

// signed tells whether sum is the beginning of the text's MAC.
func (k key) signed(label, text string, sum []byte) bool {
	mac := k.mac(label, text)
	return hmac.Equal(mac[:len(sum)], sum)
}

// hash is what stands for a session in a companion.
func (k key) hash(session string) sessionHash {
	mac := k.mac(labelSession, session)
	return sessionHash(mac[:])
}
