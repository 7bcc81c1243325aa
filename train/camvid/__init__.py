"""SegNet and SegNet-flow, section 5.2, Table 2 and Figure 8."""
