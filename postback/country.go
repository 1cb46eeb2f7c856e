package postback

// appendCountry writes customerCountry, which CJ wants as ISO 3166-1 alpha-2
// (docs.cj.com/docs/additional-vertical-parameters).
func appendCountry(q []byte, code string) ([]byte, error) {
	if code == "" {
		return q, nil
	}
	// Clearing the bit makes a letter upper case, and no other character one.
	if len(code) != 2 || !isUpper(code[0]&^0x20) || !isUpper(code[1]&^0x20) {
		return nil, refuse("customer_country", shown(code), "must be a two-letter ISO 3166-1 code like US")
	}
	return append(append(q, "&customerCountry="...), code[0]&^0x20, code[1]&^0x20), nil
}
