-- Needs: call, counts, range, groups.

--@include lib/ready
--@include lib/keys
