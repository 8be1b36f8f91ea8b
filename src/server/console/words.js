"use strict";
// What the page says, in English and in Chinese; the browser's language decides.
const ZH = {
  "skip": "跳到内容", "Incidents": "事件", "Numbers": "指标", "Targets": "目标", "Changes": "变更",
  "Open": "进行中", "Over": "已结束", "Token": "令牌", "up to date": "已更新", "not reachable": "无法连接",
  "All is quiet": "一切平静", "No incident is open.": "没有进行中的事件。", "Nothing is over yet.": "还没有结束的事件。",
  "Choose an incident": "请选择事件", "Its time line and what can be done stand here.": "这里显示时间线和可执行的操作。",
  "detected": "待处理", "acknowledged": "已确认", "mitigated": "已缓解", "resolved": "已解决", "reviewed": "已复盘", "closed": "已关闭",
  "nobody has taken it": "无人认领", "taken by": "处理人", "State": "状态", "Level": "级别", "Service": "服务",
  "Environment": "环境", "Owner": "负责人", "Opened": "发生于", "Lasted": "持续", "Source": "来源", "Escalates": "升级于",
  "Acknowledge": "确认", "Resolve": "解决", "Approve": "批准", "Decline": "拒绝", "Cancel": "取消", "Note": "备注",
  "All incidents": "全部事件", "Changed shortly before": "此前的变更", "Jobs": "作业", "Time line": "时间线",
  "before": "之前", "by": "由", "Resolve it everywhere?": "在所有目标解决？",
  "It is closed at every target: page, message and ticket. Alerts that still fire open it again.": "将在所有目标（寻呼、消息、工单）关闭。若告警仍在触发，会重新打开。",
  "Run this job?": "运行该作业？", "Access": "访问",
  "The relay asks for a token of its admin interface. It stays in this tab and is forgotten with it.": "需要管理接口的令牌。它只保存在此标签页，关闭即清除。",
  "Your name, for the record": "你的名字（用于记录）", "Forget": "清除", "Use": "使用",
  "The token is not known here.": "令牌无效。", "Done": "完成", "The last 30 days": "最近 30 天", "MTTA, half of them": "MTTA（中位数）",
  "MTTR, half of them": "MTTR（中位数）", "nine of ten": "九成", "on average": "平均", "open now": "进行中", "came back": "复发",
  "By day": "按天", "Where the time goes": "时间花在哪里", "half": "中位数", "By service": "按服务", "Most noise": "噪声最多", "Advice": "建议",
  "detect": "发现", "notify": "通知", "respond": "响应", "resolve": "解决", "No incident in this time.": "这段时间没有事件。",
  "incidents": "事件", "Target": "目标", "Waiting": "等待", "Oldest": "最久", "Delivered": "已送达", "Given up": "放弃",
  "well": "正常", "sick": "异常", "held": "待修复", "No target has been told anything yet.": "还没有目标收到消息。",
  "Freezes": "冻结", "No freeze stands.": "没有冻结。", "End": "结束", "Set a freeze": "设置冻结", "until": "直到", "from": "自",
  "all services": "全部服务", "all environments": "全部环境", "Set": "设置", "Service, with * and ?": "服务，可用 * 和 ?",
  "Environment, with * and ?": "环境，可用 * 和 ?", "How long, as in 6h": "多久，如 6h", "Why": "原因",
  "The last 7 days": "最近 7 天", "Nothing was changed.": "没有变更。", "deploy": "发布", "config": "配置", "traffic": "流量", "infrastructure": "基础设施",
  "opened": "开始", "alert": "告警", "delivered": "送达", "dead": "放弃", "expired": "过期", "escalated": "升级", "commented": "备注",
  "noted": "备注", "change": "变更", "assigned": "指派", "rated": "定级", "reopened": "复发", "joined": "合并",
  "proposed": "待批准", "approved": "已批准", "starting": "启动中", "running": "运行中", "succeeded": "成功", "failed": "失败", "cancelled": "已取消", "declined": "已拒绝",
  "unknown": "未知", "refused": "被护栏拒绝", "rehearsed": "已演练", "Tickets": "工单", "open": "打开", "over": "已结束", "lost": "找不到",
  "job proposed": "作业待批准", "job approved": "作业已批准", "job started": "作业已启动", "job running": "作业运行中", "job succeeded": "作业成功",
  "job failed": "作业失败", "job cancelled": "作业已取消", "job declined": "作业被拒绝", "job expired": "作业过期", "job refused": "作业被护栏拒绝",
  "job unknown": "作业状态未知", "ticket moved": "工单有变化", "ticket closed": "工单已关闭", "ticket reminded": "工单已催办",
};
const chinese = (navigator.language || "en").toLowerCase().startsWith("zh");
const say = (text) => (chinese && ZH[text]) || text;
document.documentElement.lang = chinese ? "zh-CN" : "en";

/** `40 s`, `4 min`, `3 h 5 min`, `2 d 4 h`. */
function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const unit = chinese ? [" 天", " 小时", " 分钟", " 秒"] : [" d", " h", " min", " s"];
  const two = (a, ua, b, ub) => (b ? a + ua + " " + b + ub : a + ua);
  if (s >= 86400) return two(Math.floor(s / 86400), unit[0], Math.floor((s % 86400) / 3600), unit[1]);
  if (s >= 3600) return two(Math.floor(s / 3600), unit[1], Math.floor((s % 3600) / 60), unit[2]);
  return s >= 60 ? Math.floor(s / 60) + unit[2] : s + unit[3];
}
const since = (time) => (Date.now() - Date.parse(time)) / 1000;
const between = (from, to) => (Date.parse(to) - Date.parse(from)) / 1000;
const clock = (time) => new Date(time).toLocaleTimeString(chinese ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });
const moment = (time) => new Date(time).toLocaleString(chinese ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" });
