-- What becomes available to groups: published, or due. Needs: call, time, counts, range, groups.

--@include lib/ready

-- `ranges` in their order, for a group that is not the first to have them at the front, see lib/ready.
function lib.give(group, ranges, messages, front)
  if group.isBehind and not front and #ranges > 0 then
    --@include lib/later
    lib.putLater(group, ranges, messages)
    lib.count(group.state, 'ready', messages)
    group.wake = true
    return
  end
  lib.makeReady(group, ranges, messages, front)
end
