#!/usr/bin/env python3
"""Writes the databases of this folder: `pip install mmdb_writer netaddr`, then `python3 make_mmdb.py`, here.

Each has the field names of one family of publishers, and documentation networks only.
"""

import time

from mmdb_writer import MMDBWriter
from netaddr import IPSet

# The time goes into the file: a database that is made again is the same.
time.time = lambda: 1767225600.0

DE = {"country": {"geoname_id": 2921044, "iso_code": "DE", "names": {"de": "Deutschland", "en": "Germany"}}}
ORG = "Example Networks"


def write(path, kind, records, **options):
    writer = MMDBWriter(ip_version=options.pop("ip_version", 6), ipv4_compatible=options.pop("ipv4_compatible", True),
                        database_type=kind, languages=["en"], description="Documentation networks", **options)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(path)


write("geolite2-country.mmdb", "GeoLite2-Country", {
    "192.0.2.0/24": DE | {"continent": {"code": "EU"}, "registered_country": {"iso_code": "US"}},
    "198.51.100.0/24": {"registered_country": {"iso_code": "FR"}},
    "203.0.113.0/24": {"continent": {"code": "EU"}},
    "2001:db8:1::/48": {"country": {"iso_code": "JP"}},
})
write("geolite2-asn.mmdb", "GeoLite2-ASN", {
    "192.0.2.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": ORG},
    "198.51.100.0/24": {"autonomous_system_number": 4200000000},
    "2001:db8:1::/48": {"autonomous_system_number": 64500, "autonomous_system_organization": ORG},
}, int_type="u32")
write("country-and-asn.mmdb", "example country_asn.mmdb", {
    "192.0.2.0/24": {"country": "Germany", "country_code": "de", "asn": "AS64500", "as_name": ORG, "as_domain": "example.com"},
    "198.51.100.0/24": {"country": "FR", "country_name": "France", "asn": "64501", "name": "Other Networks"},
    "203.0.113.0/24": {"country": "GB", "asn": "", "as_name": ""},
})
write("enterprise-v4.mmdb", "GeoIP2-Enterprise", {
    "192.0.2.0/24": DE | {"traits": {"autonomous_system_number": 64500, "autonomous_system_organization": ORG,
                                    "is_anonymous_proxy": False}},
    "198.51.100.0/24": {"country": ["DE"], "asn": {"number": 64500}, "traits": "none", "as_name": 7},
}, ip_version=4, ipv4_compatible=False, int_type="u32")
