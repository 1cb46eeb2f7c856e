package cjtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var arrival = time.Date(2024, 1, 15, 18, 8, 37, 0, time.UTC)

// problemsOf judges a query that arrived a second after its event.
func problemsOf(query string, book rulebook) []string {
	var taken reading
	taken.take(query)
	taken.judge(&book, arrival, false)
	return taken.listed()
}

func TestValid(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := 3; i <= 100; i++ {
		fmt.Fprintf(&many, "&ITEM%d=S%d&AMT%d=1&QTY%d=1", i, i, i, i)
	}
	for name, query := range map[string]string{
		"TheDocumentedTemplate":      query(),
		"NamesInLowerCase":           strings.NewReplacer("CID=", "cid=", "ITEM1=", "item1=", "EVENTTIME=", "eventTime=").Replace(query()),
		"AnyOrder":                   "QTY1=1&AMT1=5&" + query("-ITEM1", "-AMT1", "-QTY1", "-DCNT1", "-DISCOUNT") + "&ITEM1=A",
		"PlusAsSpace":                query() + "&dest_city=New+York",
		"AmountInsteadOfItems":       query("-ITEM1", "-AMT1", "-QTY1", "-DCNT1", "-ITEM2", "-AMT2", "-QTY2", "-DCNT2", "AMOUNT=420"),
		"NoDiscounts":                query("-DCNT1", "-DCNT2", "-DISCOUNT"),
		"DiscountsEqualToTheOrder":   query("DCNT1=149.98", "DCNT2=21.99", "DISCOUNT=0"),
		"LongDecimals":               query("AMT1=74.990000000000001"),
		"FreeItem":                   query("AMT2=0", "QTY2=0"),
		"AHundredItems":              query() + many.String(),
		"OrderIDOf96Characters":      orderQuery(strings.Repeat("x", 96)),
		"SKUOf100Characters":         query("ITEM1=" + strings.Repeat("x", 100)),
		"ClickIDOf64Characters":      query("CJEVENT=" + strings.Repeat("x", 64)),
		"CouponOf256Characters":      query("COUPON=" + strings.Repeat("é", 256)),
		"SeveralCoupons":             query("COUPON=A,B C"),
		"EventNow":                   query("EVENTTIME=2024-01-15T18:08:37Z"),
		"EventInAnotherZone":         query("EVENTTIME=2024-01-15T11:08:36.089-07:00"),
		"EventWithZeroOffset":        query("EVENTTIME=2024-01-15T18:08:36+00:00"),
		"CurrencyInLowerCase":        query("CURRENCY=usd"),
		"LapsedCustomer":             query("CUST_STATUS=Lapsed"),
		"ReturningCustomerOtherName": query("-CUST_STATUS", "customerStatus=Return"),
		"Country":                    query("CUST_COUNTRY=US"),
		"TaxAmount":                  query("taxAmount=12.04"),
		"VerticalAndCustomNames":     query("travel_type=HOTEL", "itemName=Shoe", "custom.stats=3", "SIGNATURE=11112222333344445555666677778888"),
		"AtSignThatIsNoAddress":      query("COUPON=2@10"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, problemsOf(query, rulebook{}))
		})
	}
}

func TestOneViolationEach(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ query, problem string }{
		"NoCID":                    {query("-CID"), "CID is missing"},
		"NoTYPE":                   {query("-TYPE"), "TYPE is missing"},
		"NoMETHOD":                 {query("-METHOD"), "METHOD is missing"},
		"NoCJEVENT":                {query("-CJEVENT"), "CJEVENT is missing"},
		"NoEVENTTIME":              {query("-EVENTTIME"), "EVENTTIME is missing"},
		"NoOID":                    {query("-OID"), "OID is missing"},
		"NoCURRENCY":               {query("-CURRENCY"), "CURRENCY is missing"},
		"CIDWithLetters":           {query("CID=cj_cid"), `CID "cj_cid": must be a number`},
		"TYPEWithLetters":          {query("TYPE=sale"), `TYPE "sale": must be a number`},
		"AnotherEnterprise":        {query("CID=1234568"), `CID "1234568": is unknown here: send 1234567`},
		"AnotherAction":            {query("TYPE=1"), `TYPE "1": is unknown here: send 398210 or 398211`},
		"BrowserPixel":             {query("METHOD=IMG"), `METHOD "IMG": must be S2S`},
		"MethodInLowerCase":        {query("METHOD=s2s"), `METHOD "s2s": must be S2S`},
		"ClickIDWithDash":          {query("CJEVENT=n-a"), "CJEVENT (3 characters, first bad character '-' at position 2): allows only"},
		"ClickIDTooLong":           {query("CJEVENT=" + strings.Repeat("x", 65)), "CJEVENT (65 characters): may have 64"},
		"OrderIDWithSpace":         {orderQuery("ORD 7"), `OID "ORD 7": allows only`},
		"OrderIDNotASCII":          {orderQuery("Größe"), `OID "Größe": allows only`},
		"OrderIDTooLong":           {orderQuery(strings.Repeat("x", 97)), "may have 96 characters"},
		"SKUWithSlash":             {query("ITEM2=A/B"), `ITEM2 "A/B": allows only`},
		"SKUTooLong":               {query("ITEM1=" + strings.Repeat("x", 101)), "may have 100 characters"},
		"CouponTooLong":            {query("COUPON=" + strings.Repeat("x", 257)), "may have 256 characters"},
		"EventWithoutZone":         {query("EVENTTIME=2024-01-15T18:08:36"), "EVENTTIME \"2024-01-15T18:08:36\": must be ISO 8601"},
		"EventWithoutSeconds":      {query("EVENTTIME=2024-01-15T18:08Z"), "must be ISO 8601"},
		"EventWithOneDigitHour":    {query("EVENTTIME=2024-01-15T8:08:36Z"), "must be ISO 8601"},
		"EventWithComma":           {query("EVENTTIME=2024-01-15T18:08:36,089Z"), "must be ISO 8601"},
		"EventWithSpace":           {query("EVENTTIME=2024-01-15 18:08:36Z"), "must be ISO 8601"},
		"EventInUnixSeconds":       {query("EVENTTIME=1705342116"), "must be ISO 8601"},
		"EventOnNoDay":             {query("EVENTTIME=2024-02-30T18:08:36Z"), "must be ISO 8601"},
		"EventInTheFuture":         {query("EVENTTIME=2024-01-15T18:08:37.001Z"), "is in the future"},
		"EventInTheFutureByZone":   {query("EVENTTIME=2024-01-15T18:08:36-01:00"), "is in the future"},
		"CurrencyOfFourLetters":    {query("CURRENCY=EURO"), `CURRENCY "EURO": must be three letters`},
		"CurrencySign":             {query("CURRENCY=US$"), `CURRENCY "US$": must be three letters`},
		"CustomerStatusUnknown":    {query("CUST_STATUS=Returning"), `CUST_STATUS "Returning": must be New, Return or Lapsed`},
		"CustomerStatusLowerCase":  {query("CUST_STATUS=new"), "must be New, Return or Lapsed"},
		"CountryOfThreeLetters":    {query("CUST_COUNTRY=USA"), `CUST_COUNTRY "USA": must be two capital letters`},
		"CountryLowerCase":         {query("customerCountry=us"), "must be two capital letters"},
		"PriceWithSign":            {query("AMT1=-74.99", "-DCNT1", "-DCNT2", "-DISCOUNT"), `AMT1 "-74.99": must be a decimal`},
		"PriceWithCurrency":        {query("AMT1=$74.99"), `AMT1 "$74.99": must be a decimal`},
		"PriceWithSeparator":       {query("AMT1=1,074.99"), `AMT1 "1,074.99": must be a decimal`},
		"PriceWithExponent":        {query("AMT1=7e1"), `AMT1 "7e1": must be a decimal`},
		"PriceWithoutWholePart":    {query("AMT1=.99"), `AMT1 ".99": must be a decimal`},
		"PriceWithoutFraction":     {query("AMT1=74."), `AMT1 "74.": must be a decimal`},
		"LineDiscountNoNumber":     {query("DCNT1=none"), `DCNT1 "none": must be a decimal`},
		"OrderDiscountNegative":    {query("DISCOUNT=-1"), `DISCOUNT "-1": must be a decimal`},
		"TaxNoNumber":              {query("tax_amount=12%"), `TAXAMOUNT "12%": must be a decimal`},
		"QuantityFraction":         {query("QTY1=1.5"), `QTY1 "1.5": must be a whole number`},
		"QuantityNegative":         {query("QTY1=-1"), `QTY1 "-1": must be a whole number`},
		"NeitherItemsNorAmount":    {query("-ITEM1", "-AMT1", "-QTY1", "-DCNT1", "-ITEM2", "-AMT2", "-QTY2", "-DCNT2", "-DISCOUNT"), "ITEM1 is missing: send items, or AMOUNT"},
		"ItemsAndAmount":           {query("AMOUNT=156.97"), "AMOUNT stands beside items"},
		"AmountNoNumber":           {query("-ITEM1", "-AMT1", "-QTY1", "-DCNT1", "-ITEM2", "-AMT2", "-QTY2", "-DCNT2", "AMOUNT=a"), `AMOUNT "a": must be a decimal`},
		"ItemWithoutPrice":         {query("-AMT2"), "AMT2 is missing: every item needs"},
		"ItemWithoutQuantity":      {query("-QTY2"), "QTY2 is missing: every item needs"},
		"LineWithoutSKU":           {query("-ITEM2"), "ITEM2 is missing: every item needs"},
		"GapInNumbering":           {query("-ITEM1", "-AMT1", "-QTY1", "-DCNT1", "-DISCOUNT"), "ITEM1 is missing: number the items from 1 without a gap"},
		"ItemZero":                 {query() + "&DCNT0=1", "DCNT0 has no proper number"},
		"ItemWithLeadingZero":      {query() + "&DCNT02=1", "DCNT02 has no proper number"},
		"ItemWithoutNumber":        {query() + "&QTY=1", "QTY has no proper number"},
		"ItemBeyondAHundred":       {query() + "&ITEM101=A", "ITEM101 is beyond 100"},
		"ItemFarBeyondAHundred":    {query() + "&ITEM99999999999999999999=A", "is beyond 100"},
		"DiscountsAboveTheOrder":   {query("DISCOUNT=166.98"), "DISCOUNT and DCNT together are larger than the order"},
		"LineDiscountsAboveOrder":  {query("DCNT1=171.98", "-DISCOUNT"), "together are larger than the order"},
		"EmptyCurrency":            {query("CURRENCY="), "CURRENCY is empty"},
		"EmptyCoupon":              {query("COUPON="), "COUPON is empty"},
		"EmptyCustom":              {query() + "&brand=", "brand is empty"},
		"NameWithoutValue":         {query() + "&brand", "brand is empty"},
		"EmptyBetweenAmpersands":   {query() + "&&brand=a", "query has an empty parameter"},
		"AmpersandAtTheEnd":        {query() + "&", "query has an empty parameter"},
		"RepeatedParameter":        {query() + "&CURRENCY=USD", "CURRENCY is repeated"},
		"RepeatedInAnotherCase":    {query() + "&oid=ORD-8", "oid is repeated"},
		"RepeatedItem":             {query() + "&qty1=2", "qty1 is repeated"},
		"RepeatedCustom":           {query() + "&brand=a&Brand=b", "Brand is repeated"},
		"BothSpellingsOfOneName":   {query() + "&customerStatus=New", "customerStatus is repeated"},
		"EmailAsCoupon":            {query("COUPON=jane.doe@example.com"), "COUPON (20 characters): holds an e-mail"},
		"EmailInsideCustom":        {query("note=for jane@example.com please"), "note (27 characters): holds an e-mail"},
		"EmailEncodedTwice":        {query("note=jane%40example.com"), "note (18 characters): holds an e-mail"},
		"EmailAsName":              {query() + "&jane%40example.com=1", "(16 characters) (1 characters): holds an e-mail"},
		"BrokenPercentEncoding":    {query() + "&brand=100%", "brand has broken percent-encoding"},
		"BrokenPercentEncodedName": {query() + "&br%zznd=1", "has broken percent-encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := problemsOf(c.query, rulebook{enterprises: []string{"1234567"}, actions: []string{"398210", "398211"}})
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], c.problem)
		})
	}
}

func TestProblemsNeverShowPeople(t *testing.T) {
	t.Parallel()
	problems := strings.Join(problemsOf(query("OID=jane%40example.com", "CID=jane@example.com", "CJEVENT=secret-click")+"&joe%40example.com=", rulebook{}), "\n")
	require.Contains(t, problems, "OID")
	require.NotContains(t, problems, "jane")
	require.NotContains(t, problems, "joe@")
	require.NotContains(t, problems, "secret")
}

func TestManyProblemsAreCut(t *testing.T) {
	t.Parallel()
	problems := problemsOf(query()+strings.Repeat("&brand=", 50), rulebook{})
	require.Len(t, problems, maxProblems+1)
	require.Equal(t, "and 67 more", problems[maxProblems])
}

func TestTotal(t *testing.T) {
	t.Parallel()
	items := []string{"-ITEM1", "-AMT1", "-QTY1", "-DCNT1", "-ITEM2", "-AMT2", "-QTY2", "-DCNT2"}
	for name, c := range map[string]struct{ query, total string }{
		"LineDiscountsCountOnce":   {query(), "156.97"},
		"CJsSampleFile":            {query("AMT1=22.99", "QTY1=2", "DCNT1=5.00", "AMT2=21.99", "QTY2=3", "DCNT2=7.50", "-DISCOUNT") + "&ITEM3=C&AMT3=25.99&QTY3=1&DCNT3=2.50", "122.94"},
		"WithoutDiscounts":         {query("-DCNT1", "-DCNT2", "-DISCOUNT"), "171.97"},
		"AtLeastTwoDecimals":       {query("AMT1=5", "QTY1=1", "AMT2=0", "-DCNT1", "-DISCOUNT"), "5.00"},
		"OneDecimal":               {query("AMT1=5.5", "QTY1=1", "AMT2=0", "-DCNT1", "-DISCOUNT"), "5.50"},
		"MoreDecimalsStay":         {query("AMT1=0.1234567890123456789", "QTY1=10", "AMT2=0", "-DCNT1", "-DISCOUNT"), "1.234567890123456789"},
		"LargeNumbersStayExact":    {query("AMT1=90071992547409.93", "QTY1=1000", "AMT2=0", "-DCNT1", "-DISCOUNT"), "90071992547409930.00"},
		"AmountWithoutItems":       {query(append(items, "AMOUNT=420.5")...), "410.50"},
		"BelowZero":                {query("DISCOUNT=1000"), "-833.03"},
		"NoneWithBothForms":        {query("AMOUNT=1"), ""},
		"NoneWithoutAmounts":       {query(items...), ""},
		"NoneWithABrokenPrice":     {query("AMT1=abc"), ""},
		"NoneWithABrokenQuantity":  {query("QTY1=1.5"), ""},
		"NoneWithAMissingQuantity": {query("-QTY1"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken reading
			taken.take(c.query)
			require.Equal(t, c.total, taken.totalText())
		})
	}
}

// FuzzJudge: whatever arrives is judged without a panic, the same way twice, and a reading that is used again
// keeps nothing of the request before.
func FuzzJudge(f *testing.F) {
	f.Add(query())
	f.Add(query("AMOUNT=1", "OID=a b") + "&ITEM101=&%zz=%&&=")
	f.Fuzz(func(t *testing.T, query string) {
		want := problemsOf(query, rulebook{})
		var again reading
		again.take("CID=1&ITEM3=A&brand=b&OID=")
		again.judge(&rulebook{}, arrival, false)
		again.reset()
		again.take(query)
		again.judge(&rulebook{}, arrival, false)
		require.Equal(t, want, again.listed())
	})
}
