"""How far the baseline judge agrees with people, beside plain floors."""
