"""A simulated Mirakl platform: two operators, imports that take their time, orders, parcels."""
