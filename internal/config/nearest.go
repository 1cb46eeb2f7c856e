package config

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearestKey returns the known key that somebody who wrote path most likely meant. The last part counts
// twice, alone and in the path: brokers at the top level is kafka.brokers, not breaker.
func nearestKey(path string) string {
	best, lowest := "", -1
	for _, k := range root.descendants() {
		distance := levenshtein.ComputeDistance(lastPart(path), k.name) + levenshtein.ComputeDistance(path, k.path)
		if lowest < 0 || distance < lowest {
			best, lowest = k.path, distance
		}
	}
	return best
}

// nearestVariable returns the known override that is spelled most like name.
func nearestVariable(name string) string {
	best, lowest := "", -1
	for _, k := range leaves {
		variable := variableOf(k)
		if distance := levenshtein.ComputeDistance(strings.ToUpper(name), variable); lowest < 0 || distance < lowest {
			best, lowest = variable, distance
		}
	}
	return best
}

func (k *key) descendants() []*key {
	var all []*key
	for _, child := range k.children {
		all = append(all, child)
		all = append(all, child.descendants()...)
	}
	return all
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
