-- The address of a parcel at its courier goes with its number: it leads to where it was sent.

GRANT UPDATE (tracking_url) ON shipments TO marketplace_worker;
