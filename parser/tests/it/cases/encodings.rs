//! Object keys: rule 14 and section 4.

use super::cases;

cases! {
    rest_keys_are_decoded_twice: r"{H} date_%253D2021-03-14/a%2520b {U} {N} {A}" =>
        "key=date_%253D2021-03-14/a%2520b" "object_key=date_=2021-03-14/a b";
    website_keys_are_decoded_twice: r"{P} 192.0.2.3 - R WEBSITE.GET.OBJECT a%2520b {U} {N} {A}" => "object_key=a b";
    soap_keys_are_decoded_twice: r"{P} 192.0.2.3 - R SOAP.PUT.OBJECT a%2520b {U} {N} {A}" => "object_key=a b";
    lifecycle_keys_are_decoded_once: r"{P} - AmazonS3 R S3.EXPIRE.OBJECT a%2520b+c {U} {N} {A}" => "object_key=a%20b+c";
    batch_keys_are_forms: r"{P} 192.0.2.3 - R BATCH.DELETE.OBJECT Screen+Shot%2B1+%252B.png - {N} - -" => "object_key=Screen Shot+1 %2B.png";
    other_batch_keys_are_raw: r"{P} 192.0.2.3 - R BATCH.PUT.OBJECT a+b%20c - {N} - -" => "object_key=a+b%20c";
    other_keys_are_raw: r"{P} 192.0.2.3 - R FETCH a+b%20c {U} {N} {A}" => "object_key=a+b%20c";
    keys_without_an_operation_are_raw: r"{P} 192.0.2.3 - R - a%20b {U} {N} {A}" => "operation=NULL" "object_key=a%20b";
    plus_is_itself_in_rest: r"{H} a+b {U} {N} {A}" => "object_key=a+b";
    a_plus_that_was_encoded: r"{H} a%252Bb {U} {N} {A}" => "object_key=a+b";
    small_letters: r"{H} %c3%a9%25c3%25A9 {U} {N} {A}" => "object_key={xC3}{xA9}{xC3}{xA9}";
    bytes_are_decoded_before_text: r"{H} %25C3%25A9 {U} {N} {A}" => "object_key={xC3}{xA9}";
    half_a_character_stays_bytes: r"{H} %25C3x {U} {N} {A}" => "object_key={xC3}x";
    an_encoded_line_feed: r"{H} a%250Ab {U} {N} {A}" => "object_key=a{x0A}b";
    an_encoded_nul: r"{H} a%2500b {U} {N} {A}" => "object_key=a{x00}b";
    invalid_sequences_stay: r"{H} %zz%4g%g4 {U} {N} {A}" => "object_key=%zz%4g%g4";
    a_percent_at_the_end_stays: r"{H} a% {U} {N} {A}" => "object_key=a%";
    a_percent_and_a_digit_at_the_end_stay: r"{H} a%4 {U} {N} {A}" => "object_key=a%4";
    two_percents: r"{H} %%2541 {U} {N} {A}" => "object_key=%A";
    the_second_round_sees_what_the_first_made: r"{H} %2541%%34%31 {U} {N} {A}" => "object_key=AA";
    three_rounds_are_too_many: r"{H} %252541 {U} {N} {A}" => "object_key=%41";
    a_null_key_is_null: r"{H} - {U} {N} {A}" => "key=NULL" "object_key=NULL";
    an_encoded_dash_is_no_null: r"{H} %252D {U} {N} {A}" => "key=%252D" "object_key=-";
    stars_slashes_and_the_rest: r"{H} 75*75//a:b~c {U} {N} {A}" => "key=75*75//a:b~c" "object_key=75*75//a:b~c";
    raw_keys_are_decoded_too: r"{H} my photo%2520.jpg {U} {N} {A}" => "key=my photo%2520.jpg" "object_key=my photo .jpg";
}
